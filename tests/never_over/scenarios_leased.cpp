// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/scenario.hpp"

#include <weir/limit/token_bucket.hpp>

namespace never_over {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t t0 = 1'000'000'000;

/// A bucket that leases two permits at once, from a burst of 16.
struct leased {
    weir::rate rate = weir::per_second(100'000'000);  // one per 10 ns
    weir::token_bucket_options options{.rate = rate, .burst = 16, .lease = 20ns};
    weir::atomic<std::int64_t> time{t0};
    stepping_clock clock{&time};
    weir::basic_token_bucket<stepping_clock> bucket{options, clock};
    std::vector<admitted> events;

    void take(std::uint32_t n = 1)
    {
        auto const from = time.load();
        if (bucket.try_acquire(n)) events.push_back({from, time.load(), n});
    }
    void take_at(std::uint32_t n)
    {
        auto const now = time.load();
        if (bucket.try_acquire(n, at(now))) events.push_back({now, time.load(), n});
    }
    void pass(std::int64_t ns) { time.fetch_add(ns); }

    std::string end()
    {
        if (auto wrong = over(events, allowance{rate}, options.burst); !wrong.empty()) return wrong;
        // After a pause there is the burst, but for what was missing from the lease; then nothing; then all of it
        // again.
        pass(1'000'000);
        std::uint64_t left = 0;
        while (bucket.try_acquire(1)) ++left;
        if (left > options.burst) return std::to_string(left) + " after a pause";
        if (left + 2 < options.burst) return "permits were lost";
        return bucket.try_acquire(16, at(time.load() + 1'000'000)) ? "" : "permits were lost for good";
    }
};

/// The lease runs out and is paid for anew under three callers.
struct refill : leased {
    refill() { take(13); }
    void thread(unsigned i)
    {
        if (i == 2) pass(25);
        take(), take();
        if (i == 2) take(3);
    }
};

/// Two permits are wanted where one is left in the lease.
struct uneven : leased {
    void thread(unsigned i) { take(1 + i % 2), take(2), take(); }
};

/// One who is about to pay for a lease is held up across a pause in which the bucket fills, while another lease is
/// used.
struct held_up : leased {
    held_up() { take(8); }
    void thread(unsigned i)
    {
        take();
        if (i != 0) pass(1'000), take(), take(), take(), take(), take(14);
    }
};

/// Who brings a time takes what lies in the lease too.
struct put_back : leased {
    put_back() { take(12), take(); }
    void thread(unsigned i)
    {
        switch (i) {
            case 0: take(), take(); break;
            case 1: take_at(3), pass(160), take_at(16); break;
            default: take_at(2), take();
        }
    }
};

/// A wish that only the whole burst can meet, while others lease from it.
struct all_of_it : leased {
    void thread(unsigned i)
    {
        if (i == 0) {
            take(16);
        } else {
            take(), pass(90), take(16);
        }
    }
};

struct drained : leased {
    drained() { take(10), take(); }
    void thread(unsigned i)
    {
        if (i == 0) {
            bucket.drain();
        } else {
            take(), pass(10), take(2);
        }
    }
};

/// A reservation that is cancelled while others lease.
struct cancelled : leased {
    cancelled() { take(13); }
    void thread(unsigned i)
    {
        if (i != 0) {
            take(), pass(100), take(8);
            return;
        }
        auto const now = time.load();
        auto a = bucket.reserve(2, 0ns, at(now));
        if (a && !a->cancel()) events.push_back({now, time.load(), 2});
    }
};

/// A burst that becomes smaller, and is not leased from any more, then larger again.
struct reconfigured : leased {
    reconfigured() { take(12), take(); }
    void thread(unsigned i)
    {
        if (i == 0) {
            bucket.reconfigure({.rate = rate, .burst = 8});
            bucket.reconfigure(options);
        } else {
            take(), pass(70), take(7);
        }
    }
};

/// One thread leases for itself alone; another wants the whole burst, or drains it.
struct owned : leased {
    void thread(unsigned i)
    {
        if (i == 0) {
            take(), take(), take(), take();
        } else {
            take_at(15);
        }
    }
};
struct owned_and_drained : leased {
    void thread(unsigned i)
    {
        if (i == 0) {
            take(), take(), take(), take(13);
        } else {
            bucket.drain();
        }
    }
};

scenarios const of_leased{[](std::vector<scenario>& all) {
    all.push_back(make_scenario<refill>("token_bucket: the lease is refilled", 3, 2));
    all.push_back(make_scenario<uneven>("token_bucket: more is wanted than the lease has", 2, 2));
    all.push_back(make_scenario<held_up>("token_bucket: the filler is held up", 2, 3));
    all.push_back(make_scenario<put_back>("token_bucket: the lease is put back", 3, 2));
    all.push_back(make_scenario<all_of_it>("token_bucket: the whole burst is wanted", 3, 2));
    all.push_back(make_scenario<drained>("token_bucket: drained while leasing", 3, 2));
    all.push_back(make_scenario<owned>("token_bucket: the lease of one thread is put back by another", 2, 2));
    all.push_back(
        make_scenario<owned_and_drained>("token_bucket: the lease of one thread is drained by another", 2, 2));
    all.push_back(make_scenario<cancelled>("token_bucket: cancelled while leasing", 3, 2));
    all.push_back(make_scenario<reconfigured>("token_bucket: reconfigured while leasing", 3, 2));
}};

}  // namespace
}  // namespace never_over
