// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What passes, and when: each limiter at 100 per second (a burst of 30 where it has one) under one demand, that comes
// steadily at first, then in two waves with a pause before each. In virtual time, so that the picture is the same on
// every machine. Charts "shape": requests admitted in each 50 ms; "demand": those that asked.

#include "../support/report.hpp"

#include <weir/http/byte_rate.hpp>
#include <weir/limit/fixed_window.hpp>
#include <weir/limit/hierarchical_limit.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/sliding_window_limiter.hpp>
#include <weir/limit/sliding_window_log.hpp>
#include <weir/limit/striped_token_bucket.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/limit/warm_up.hpp>
#include <weir/testing/manual_clock.hpp>

#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/rate_policy.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace {

struct asking {};
using byte_rate = weir::http::basic_byte_rate<weir::testing::manual_clock>;

}  // namespace

/// In place of a stream: Beast lets nobody else ask a policy.
template <>
class boost::beast::basic_stream<asking, asking, asking> {
public:
    static bool send(byte_rate& limit)
    {
        if (rate_policy_access::available_write_bytes(limit) == 0) return false;
        rate_policy_access::transfer_write_bytes(limit, 1);
        return true;
    }
};

namespace {

using namespace std::chrono_literals;
using weir::duration;
using weir::time_point;

constexpr duration slice = 50ms, length = 5s;
constexpr time_point start{1h};

using counts = std::vector<int>;

/// In 2 ms steps: 60 per second; 500 per second from 0.8 s to 1.4 s, and again, after a pause, from 2.8 s to 3.4 s;
/// then 140 per second.
template <class F>
void demand(F ask)
{
    double due = 0;
    for (duration t{0}; t < length; t += 2ms) {
        bool const wave = (t >= 800ms && t < 1400ms) || (t >= 2800ms && t < 3400ms);
        bool const pause = t >= 1400ms && t < 2800ms;
        due += (wave ? 500 : pause ? 0 : t < 800ms ? 60 : 140) * 0.002;
        for (; due >= 1; --due) ask(t);
    }
}

/// `decide(now)`: when the request goes out, `never` if it does not.
template <class F>
void draw(bench::report& r, std::string const& name, F decide)
{
    counts admitted(static_cast<std::size_t>(length / slice), 0);
    demand([&](duration t) {
        auto const at = decide(start + t);
        if (at == weir::never) return;
        auto const i = static_cast<std::size_t>((at - start) / slice);
        if (i < admitted.size()) ++admitted[i];
    });
    for (std::size_t i = 0; i < admitted.size(); ++i)
        r.point("shape", name, static_cast<double>(i) * 0.05, admitted[i]);
}

template <class Limiter>
auto at_once(Limiter& l)
{
    return [&l](time_point now) { return l.try_acquire(1, now) ? now : weir::never; };
}

}  // namespace

int main(int argc, char** argv)
{
    bench::report r("shape", argc, argv);
    auto const rate = weir::per_second(100);

    draw(r, "demand", [](time_point now) { return now; });

    weir::token_bucket token({.rate = rate, .burst = 30});
    draw(r, "token_bucket", at_once(token));

    weir::striped_token_bucket striped({.rate = rate, .burst = 30});
    draw(r, "striped_token_bucket", at_once(striped));

    weir::keyed_limiter<> keyed({.quotas = {{rate, 30}}, .capacity = 100});
    auto key = keyed.of(7);
    draw(r, "keyed_limiter, a key", at_once(key));

    weir::token_bucket tenant({.rate = rate, .burst = 30});
    weir::sliding_window_log everybody({.limit = 60, .window = 500ms});
    weir::hierarchical_limit levels(tenant, everybody);
    draw(r, "hierarchical_limit: and at most 60 in 500 ms", at_once(levels));

    weir::leaky_bucket shaper({.rate = rate, .max_wait = 500ms});
    draw(r, "leaky_bucket", [&](time_point now) {
        auto a = shaper.admit(now);
        if (!a) return weir::never;
        auto const at = a->start_at();
        a->record(weir::outcome::success(), at);
        return at;
    });

    weir::leaky_bucket meter({.rate = rate, .max_wait = 0s});
    draw(r, "leaky_bucket as a meter", at_once(meter));

    weir::fixed_window fixed({.limit = 100, .window = 1s});
    draw(r, "fixed_window", at_once(fixed));

    weir::sliding_window_limiter sliding({.limit = 100, .window = 1s});
    draw(r, "sliding_window_limiter", at_once(sliding));

    weir::sliding_window_log log({.limit = 100, .window = 1s});
    draw(r, "sliding_window_log", at_once(log));

    weir::warm_up warm({.rate = rate, .warm_up = 2s, .burst = 30});
    draw(r, "warm_up", at_once(warm));

    weir::testing::manual_clock clock(start);
    byte_rate bytes({.write = 100, .burst = 300ms, .least = 1}, clock);
    draw(r, "byte_rate: bytes", [&](time_point now) {
        clock.set(now);
        return boost::beast::basic_stream<asking, asking, asking>::send(bytes) ? now : weir::never;
    });

    return r.finish();
}
