// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// How to test your own class when time matters to it: give it the clock. In production that is the real one, and nobody
// notices; in a test it is one that you hold in your hand, and an outage of ten minutes is over at once.
//
// Expected output:
//   ok: a hiccup is not noticed
//   ok: the retries took 100 ms and 200 ms of the clock, and none of ours
//   ok: through an outage the last price is good for ten minutes
//   ok: and not for longer
//   ok: in 20 seconds a shop that is down is asked twice, and not 60 times
//   ok: when it is back, so is the price

#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/testing/manual_clock.hpp>
#include <weir/testing/scripted_operation.hpp>

#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;

namespace {

// --- Your class -----------------------------------------------------------------------------------------------------

/// The price of bread: asked for anew each time; while the shop does not answer, the last one, if it is recent.
template <weir::clock Clock = weir::steady_clock>
class bread_price {
public:
    using ask = std::function<weir::result<int>(weir::attempt const&)>;

    explicit bread_price(ask shop, Clock clock = {}) : shop_(std::move(shop)), clock_(std::move(clock)) {}

    std::optional<int> cents()
    {
        if (auto const fresh = guarded_.call(shop_, clock_)) known_ = {*fresh, clock_.now()};
        if (known_ && clock_.now() - known_->at <= 10min) return known_->cents;
        return std::nullopt;
    }

private:
    struct known {
        int cents;
        weir::time_point at;
    };

    ask shop_;
    Clock clock_;
    weir::pipeline<weir::retry, weir::circuit_breaker> guarded_{
        weir::retry({.backoff = weir::exponential(100ms, 1s).with(weir::jitter::none)}),
        weir::circuit_breaker({.minimum_calls = 5, .open_for = 30s})};
    std::optional<known> known_;
};

// --- Your test ------------------------------------------------------------------------------------------------------

void check(bool good, char const* claim) { std::printf("%s: %s\n", good ? "ok" : "WRONG", claim); }

}  // namespace

int main()
{
    weir::testing::manual_clock clock;            // copies share the time: one for the class, one to move it with
    weir::testing::scripted_operation<int> shop;  // ends as it is told, and counts
    bread_price price(shop.blocking(clock), clock);

    shop.fail(std::errc::connection_reset).fail(std::errc::connection_reset).succeed(250);
    auto const start = clock.now();
    check(price.cents() == 250, "a hiccup is not noticed");
    check(clock.now() == start + 300ms, "the retries took 100 ms and 200 ms of the clock, and none of ours");

    shop.fail(std::errc::connection_refused);  // the last line is played for ever: an outage
    bool good = true;
    for (int minute = 0; minute < 9; ++minute, clock.advance(1min)) good = good && price.cents() == 250;
    check(good, "through an outage the last price is good for ten minutes");
    clock.advance(2min);
    check(!price.cents(), "and not for longer");

    auto const asked = shop.attempts().size();
    for (int second = 0; second < 20; ++second, clock.advance(1s)) (void)price.cents();
    check(shop.attempts().size() - asked == 2, "in 20 seconds a shop that is down is asked twice, and not 60 times");

    shop.succeed(260);  // from now on
    clock.advance(10min);
    check(price.cents() == 260, "when it is back, so is the price");
}
