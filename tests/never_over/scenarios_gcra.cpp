// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/scenario.hpp"

#include <weir/limit/hierarchical_limit.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/token_bucket.hpp>

namespace never_over {
namespace {

using namespace std::chrono_literals;
using weir::detail::gcra;
using weir::detail::gcra_rate;

constexpr std::int64_t t0 = 1'000'000'000;

struct word {
    weir::rate rate{1, 10ns};
    std::uint64_t burst = 2;
    gcra tat{gcra_rate{rate, burst, "scenario"}};
    std::vector<admitted> events;

    word() { (void)tat.take(burst + 1, at(t0)); }  // refused; from now on it knows the time

    void admit(std::int64_t now) { events.push_back({now, now, 1}); }
    std::string end() { return over(events, allowance{rate}, burst); }
};

/// Six ask, each in terms of a time of its own; two of them late.
struct takes : word {
    void thread(unsigned i)
    {
        std::int64_t const times[][2] = {{t0, t0 + 10}, {t0, t0 + 5}, {t0 + 12, t0}};
        for (auto const now : times[i])
            if (tat.take(1, at(now))) admit(now);
    }
    std::string end()
    {
        if (events.empty()) return "a full bucket let nobody in";
        return word::end();
    }
};

/// At one instant exactly the burst gets in, whatever the order: neither more nor fewer.
struct takes_at_once : word {
    void thread(unsigned)
    {
        for (int k = 0; k < 2; ++k)
            if (tat.take(1, at(t0))) admit(t0);
    }
    std::string end() { return events.size() == burst ? word::end() : std::to_string(events.size()) + " of 2"; }
};

/// A cancel that comes early, late, or after the bucket was full again gives back what was taken or nothing.
struct undo : word {
    void thread(unsigned i)
    {
        if (i == 0) {
            auto const a = tat.reserve(1, at(t0), 0ns);
            if (a.admitted && !tat.undo(a.made)) admit(t0);
        } else {
            for (int k = 0; k < 2; ++k)  // full again by then
                if (tat.take(1, at(t0 + 30 + i))) admit(t0 + 30 + i);
        }
    }
};

/// Two that may both be undone: whoever asked behind the other must not get its place back twice.
struct two_undo : word {
    void thread(unsigned i)
    {
        if (i == 2) {
            for (int k = 0; k < 2; ++k)
                if (tat.take(1, at(t0))) admit(t0);
            return;
        }
        auto const a = tat.reserve(1, at(t0), 0ns);
        if (a.admitted && !tat.undo(a.made)) admit(t0);
    }
};

/// Reservations ahead: what counts is when they start.
struct reservations : word {
    void thread(unsigned i)
    {
        for (int k = 0; k < 2; ++k) {
            auto const a = tat.reserve(1, at(t0 + i), 25ns);
            if (!a.admitted) continue;
            if (i == 0 && k == 1 && tat.undo(a.made)) continue;
            admit(a.at.time_since_epoch().count());
        }
    }
};

/// Limits that change under the callers, slower, faster and with another burst; time passes meanwhile.
template <class Limiter, class Options>
struct flips {
    Options faster_options{.rate = {5, 10ns}, .burst = 2};
    Options slower_options{.rate = {1, 10ns}, .burst = 1};
    weir::atomic<std::int64_t> time{t0};
    stepping_clock clock{&time};
    Limiter limiter{slower_options, clock};
    std::vector<flip> changes;
    std::vector<admitted> events;

    flips() { (void)limiter.try_acquire(3, at(t0)); }  // refused; from now on it knows the time

    void thread(unsigned i)
    {
        if (i == 1) {
            for (auto const& next : {faster_options, slower_options}) {
                auto const from = time.load();
                limiter.reconfigure(next);
                changes.push_back({from, time.load(), next.rate});
            }
            return;
        }
        for (int k = 0; k < 2; ++k) {
            if (i == 0) time.fetch_add(9);
            auto const now = time.load();
            if (limiter.try_acquire(1, at(now))) events.push_back({now, time.load(), 1});
        }
    }
    std::string end() { return over(events, with_flips(slower_options.rate, changes, events), 2); }
};

/// One that becomes faster under a caller who was admitted just before.
template <class Limiter, class Options>
struct faster : flips<Limiter, Options> {
    void thread(unsigned i)
    {
        if (i != 1) return flips<Limiter, Options>::thread(i);
        auto const from = this->time.load();
        this->limiter.reconfigure(this->faster_options);
        this->changes.push_back({from, this->time.load(), this->faster_options.rate});
    }
};

/// The origin of the clock moves under the callers after an idle time beyond its reach.
struct rebase {
    weir::rate rate{1'000'000'000, 1s};
    gcra tat{gcra_rate{rate, 2, "scenario"}};
    std::vector<admitted> events;

    void thread(unsigned i)
    {
        std::int64_t const far = (std::int64_t{1} << 55) + t0;
        std::int64_t const times[][2] = {{t0, far}, {far, far + 1}, {far, 3 * far}};
        for (auto const now : times[i])
            if (tat.take(1, at(now))) events.push_back({now, now, 1});
    }
    std::string end() { return over(events, allowance{rate}, 2); }
};

/// Two callers of one tenant, one of whom gives his share back, and a third of another tenant, who has nobody beside him.
struct levels {
    struct standing {
        [[nodiscard]] static weir::time_point now() noexcept { return at(t0); }
    };
    using bucket = weir::basic_token_bucket<standing>;
    static constexpr weir::rate rate{1, 10ns};
    bucket first{{.rate = rate, .burst = 1}}, second{{.rate = rate, .burst = 1}}, both{{.rate = rate, .burst = 2}};
    unsigned of_first = 0, of_second = 0;

    void thread(unsigned i)
    {
        weir::basic_hierarchical_limit limits(standing{}, i == 2 ? second : first, both);
        auto a = limits.admit(at(t0));
        if (!a) return;
        if (i == 1) return (void)a->cancel();
        a->record(weir::outcome::success(), at(t0));
        ++(i == 2 ? of_second : of_first);
    }
    std::string end()
    {
        if (of_first > 1) return "two of one tenant who has one";
        if (of_second != 1) return "a tenant who has nobody beside him was refused";
        if (first.available(at(t0)) + of_first > 1 || both.available(at(t0)) + of_first + of_second > 2)
            return "a share has come back that was used";
        return {};
    }
};

scenarios const of_gcra{[](std::vector<scenario>& all) {
    all.push_back(make_scenario<takes>("gcra: takes, late ones too", 3, 2));
    all.push_back(make_scenario<takes_at_once>("gcra: takes at one instant", 3, 2));
    all.push_back(make_scenario<undo>("gcra: an undo that may be late", 3, 2));
    all.push_back(make_scenario<two_undo>("gcra: two undos", 3, 2));
    all.push_back(make_scenario<reservations>("gcra: reservations ahead and an undo", 3, 2));
    all.push_back(make_scenario<rebase>("gcra: the origin moves", 3, 2));
    all.push_back(make_scenario<levels>("hierarchical_limit: two of one tenant, one of another", 3, 2));
    using bucket = weir::basic_token_bucket<stepping_clock>;
    using leaky = weir::basic_leaky_bucket<stepping_clock>;
    all.push_back(make_scenario<flips<bucket, weir::token_bucket_options>>("token_bucket: rates change", 3, 2));
    all.push_back(make_scenario<faster<bucket, weir::token_bucket_options>>("token_bucket: the rate rises", 3, 2));
    all.push_back(make_scenario<flips<leaky, weir::leaky_bucket_options>>("leaky_bucket: rates change", 3, 2));
}};

}  // namespace
}  // namespace never_over
