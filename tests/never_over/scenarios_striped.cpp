// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/scenario.hpp"

#include <weir/limit/detail/stripes.hpp>

#include <optional>

namespace never_over {
namespace {

using namespace std::chrono_literals;
using weir::detail::gcra_rate;
using weir::detail::striped_gcra;

constexpr std::int64_t t0 = 1'000'000'000;

/// Two stripes of two permits, which a scenario's threads share as it says, and in one of them room for a pocket.
struct stripes {
    weir::rate rate = weir::per_second(100'000'000);  // one per 10 ns
    std::uint64_t burst = 24;
    weir::atomic<std::int64_t> time{t0};
    stepping_clock clock{&time};
    striped_gcra bucket;
    std::vector<admitted> events;

    explicit stripes(unsigned pockets = 0) : bucket(gcra_rate{rate, burst, "scenario"}, 20ns, 2, pockets) {}

    void take(unsigned stripe, std::uint32_t n = 1)
    {
        auto const from = time.load();
        if (bucket.acquire(n, clock, stripe)) events.push_back({from, time.load(), n});
    }
    void take(striped_gcra::pocket& p, std::uint32_t n = 1)
    {
        auto const from = time.load();
        if (p.take(n) || bucket.acquire_through(p, n, clock)) events.push_back({from, time.load(), n});
    }
    void spend(std::uint32_t n)
    {
        auto const now = time.load();
        if (bucket.spend(n, at(now), clock)) events.push_back({now, time.load(), n});
    }
    void pass(std::int64_t ns) { time.fetch_add(ns); }

    std::string end()
    {
        if (auto wrong = over(events, allowance{rate}, burst); !wrong.empty()) return wrong;
        // Nothing has leaked: after a pause, all but what the stripes and the pocket may have missed is there.
        pass(1'000'000);
        std::uint64_t left = 0;
        for (unsigned stripe : {0u, 1u})
            while (bucket.acquire(1, clock, stripe)) ++left;
        return left + 6 >= burst && left <= burst ? "" : std::to_string(left) + " left";
    }
};

/// Permits that lie in one stripe are taken by callers of another, while its own come back.
struct steals : stripes {
    steals() { take(0, 2), take(1), take(0, 14); }
    void thread(unsigned i)
    {
        if (i == 0) {
            take(0), take(0), take(0);
        } else {
            if (i == 2) pass(200);
            take(1), take(1);
        }
    }
};

/// Two fillers of one stripe, one of another, and time that passes in between.
struct refills : stripes {
    refills() { take(0), take(1), spend(14); }
    void thread(unsigned i)
    {
        if (i == 2) pass(60);
        take(i / 2, 2), take(i / 2);
    }
};

/// A wish that only the word can meet once the stripes are emptied into it.
struct emptied : stripes {
    emptied() { take(0), take(1); }
    void thread(unsigned i)
    {
        if (i == 0) {
            spend(22);
        } else {
            take(i - 1), pass(40), take(i - 1, 2);
        }
    }
};

/// A pocket comes and goes with what it holds; others may take what it left.
struct pockets : stripes {
    pockets() : stripes(1) { take(0), spend(12); }
    void thread(unsigned i)
    {
        if (i == 2) {
            take(1), pass(100), take(1);
            return;
        }
        striped_gcra::pocket p{bucket};
        take(p), take(p);
    }
};

struct changes : stripes {
    changes() { take(0), take(1), spend(8); }
    void thread(unsigned i)
    {
        if (i == 0) {
            bucket.reconfigure(gcra_rate{rate, 12, "scenario"}, 20ns, clock, clock);
            bucket.reconfigure(gcra_rate{rate, burst, "scenario"}, 20ns, clock, clock);
        } else {
            take(i - 1), pass(50), take(i - 1, 2);
        }
    }
};

struct drains : stripes {
    drains() { take(0), take(1); }
    void thread(unsigned i)
    {
        if (i == 0) {
            bucket.drain(at(t0), clock);
        } else {
            take(i - 1), pass(30), take(i - 1, 2);
        }
    }
};

scenarios const of_striped{[](std::vector<scenario>& all) {
    all.push_back(make_scenario<steals>("striped_token_bucket: steals", 3, 2));
    all.push_back(make_scenario<refills>("striped_token_bucket: refills", 3, 2));
    all.push_back(make_scenario<emptied>("striped_token_bucket: emptied into the word", 3, 2));
    all.push_back(make_scenario<pockets>("striped_token_bucket: pockets", 3, 2));
    all.push_back(make_scenario<changes>("striped_token_bucket: the burst changes", 3, 2));
    all.push_back(make_scenario<drains>("striped_token_bucket: drained", 3, 2));
}};

}  // namespace
}  // namespace never_over
