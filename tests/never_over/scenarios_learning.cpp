// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What learns from the calls that end, and what every call passes.

#include "never_over/scenario.hpp"

#include <weir/balance/endpoint_state.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/breaker/throttle.hpp>
#include <weir/limit/adaptive_limit.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/retry/latency_quantile.hpp>
#include <weir/retry/retry_budget.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

namespace never_over {
namespace {

using namespace std::chrono_literals;

weir::time_point const start = at(1'000'000'000);

// adaptive_limit

/// One after a drop, two after a success.
struct one_or_two {
    struct options {};
    explicit one_or_two(options = {}) {}
    void update(weir::limit_sample const& s) noexcept { now = s.dropped ? 1 : 2, told += s.calls; }
    [[nodiscard]] std::uint32_t limit() const noexcept { return now; }
    void reconfigure(options) {}

    std::uint32_t now = 2;
    std::uint32_t told = 0;
};

struct adaptive {
    weir::adaptive_limit<one_or_two> limiter;
    std::uint32_t in = 0, most = 0, ended = 0;

    void call(weir::outcome const& o)
    {
        auto slot = limiter.admit(start);
        if (!slot) return;
        most = std::max(most, ++in);
        (void)limiter.limit();  // a step, so that others may come in while this one is
        --in, ++ended;
        (*slot).record(o, start + 1ms);
    }
    void thread(unsigned i)
    {
        call(i == 0 ? weir::outcome::failure() : weir::outcome::success());
        call(weir::outcome::success());
    }
    std::string end()
    {
        if (most > 2) return std::to_string(most) + " in at once";
        if (limiter.in_flight() != 0) return "calls in progress: " + std::to_string(limiter.in_flight());
        call(weir::outcome::success());  // takes along what others had no time to tell
        if (limiter.algorithm().told != ended) return "the algorithm was not told of every call";
        return limiter.limit() == 2 ? "" : "the limit is not the algorithm's";
    }
};

// throttle

/// The bucket of `e` is begun anew, for `e` + 10, while results and refunds of `e` still come in.
struct throttled {
    static constexpr std::uint64_t e = 1000;
    weir::detail::throttle_window window;

    void thread(unsigned i)
    {
        if (i == 0) {
            window.add(e, 1, 0), window.take_back(e);
        } else {
            window.add(e + 10, 1, 0), window.add(e + 10, 0, i == 1 ? 1 : 0);
        }
        window.add(e + 5, 1, 1);
    }
    std::string end()
    {
        auto const t = window.total(e + 10);
        return t.requests == 5 && t.accepts == 4 ? ""
                                                 : std::to_string(t.requests) + " requests and " +
                                                       std::to_string(t.accepts) + " accepts of 5 and 4 were counted";
    }
};

// retry_budget

/// Nothing is earned: only the floor, two a second, of which a second may be used at once.
struct floor_of_budget {
    weir::retry_budget tokens{{.per_success = 0, .initial = 0, .max = 1, .min_per_second = 2, .name = {}}};
    int spent = 0;
    int at_once = 0;

    void thread(unsigned)
    {
        if (tokens.try_withdraw(start)) ++spent, ++at_once;
        if (tokens.try_withdraw(start + 500ms)) ++spent;
    }
    std::string end()
    {
        if (at_once > 2) return std::to_string(at_once) + " at once";
        return spent == 3 ? "" : std::to_string(spent) + " of the 3 that half a second allows";
    }
};

// latency_quantile

/// A half of the window ends: whoever notices, nobody's sample is lost, nor that of a clock a little behind.
struct quantile_turns {
    weir::latency_quantile tail{{.quantile = 0.5, .min_samples = 5, .window = 2s}};

    quantile_turns() { tail.record(1ms, start); }
    void thread(unsigned i) { tail.record(i == 2 ? 9ms : 1ms, i == 2 ? start : start + 1s); }
    std::string end()
    {
        if (tail.value(start + 1s)) return "an answer out of four samples";
        tail.record(1ms, start + 1s);
        auto const median = tail.value(start + 1s);
        if (!median) return "a sample was lost at the turn";
        return *median < 2ms ? "" : "the median of 1, 1, 1, 1 and 9 ms is not 1 ms";
    }
};

// endpoint_state

/// At one instant nothing fades: the peak stays, whoever comes after it.
struct peaks {
    weir::endpoint_state endpoint;

    void thread(unsigned i)
    {
        for (auto const latency : {i == 1 ? 9ms : 2ms, 1ms}) {
            endpoint.enter();
            endpoint.observe(latency, start, 10s);
            endpoint.leave();
        }
    }
    std::string end()
    {
        if (endpoint.in_flight() != 0) return "calls in progress: " + std::to_string(endpoint.in_flight());
        return endpoint.latency(start, 10s) == 9e6f ? "" : "the peak was lost";
    }
};

// Every call's way: not one mutex.

struct every_call {
    struct standing {
        [[nodiscard]] static weir::time_point now() noexcept { return start; }
    };
    weir::basic_circuit_breaker<standing> breaker{{.window = weir::time_window{}, .stripes = 1}};
    weir::basic_token_bucket<standing> bucket{{.rate = weir::per_second(1000), .burst = 100}};
    weir::concurrency_limit slots{{.limit = 100}};
    weir::retry_budget tokens;
    weir::throttle accepts;
    std::uint64_t before;

    every_call() { call(), before = weir::mutex::locks; }  // the first call begins the window
    void call()
    {
        auto leave = breaker.admit(start);
        auto permit = bucket.admit(start);
        auto slot = slots.admit(start);
        auto request = accepts.admit(start);
        (*leave).record(weir::outcome::success(), start);
        (*permit).record(weir::outcome::success(), start);
        (*slot).record(weir::outcome::success(), start);
        (*request).record(weir::outcome::success(), start);
        tokens.deposit();
        (void)tokens.try_withdraw(start);
    }
    void thread(unsigned) { call(), call(); }
    std::string end()
    {
        auto const locks = weir::mutex::locks - before;
        return locks == 0 ? "" : std::to_string(locks) + " locks taken by four calls of a healthy peer";
    }
};

scenarios const of_learning{[](std::vector<scenario>& all) {
    all.push_back(make_scenario<adaptive>("adaptive_limit: it falls and rises under calls", 3, 3));
    all.push_back(make_scenario<throttled>("throttle: a bucket begins anew", 3, 3));
    all.push_back(make_scenario<floor_of_budget>("retry_budget: the floor", 3, 3));
    all.push_back(make_scenario<quantile_turns>("latency_quantile: a half of the window ends", 3, 1));
    all.push_back(make_scenario<peaks>("endpoint_state: the peak", 3, 3));
    all.push_back(make_scenario<every_call>("no lock is on every call's way", 2, 1));
}};

}  // namespace
}  // namespace never_over
