// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// One observer sees all that happens to the calls of a pipeline: the place for metrics, logs and traces. It has the
// hooks that it cares for and no others, costs nothing where it has none, and cannot harm a call, not even by throwing.
//
// Expected output:
//   attempt 1: failed after 20 ms
//     trying again in 100 ms
//   attempt 2: answered after 30 ms
//   attempt 1: failed after 10 ms
//     no further attempt: another would only repeat it
//   refused by token_bucket: rate limited: no permit at this time
//   3 calls: 1 answered, 1 failed, 1 refused; 3 attempts took 60 ms of 160 ms

#include <weir/call/pipeline.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <system_error>

using namespace std::chrono_literals;

namespace {

int ms(weir::duration d) { return static_cast<int>(d / 1ms); }

/// Counts and prints. Hooks are called on the thread of the call: where several threads share an observer, its counters
/// are atomics.
class call_log {
public:
    void attempt_ended(weir::attempt const& a, weir::outcome const& o)
    {
        ++attempts_;
        busy_ += o.latency;
        std::printf("attempt %u: %s after %d ms\n", a.number(), o.ok() ? "answered" : "failed", ms(o.latency));
    }

    void retry_scheduled(unsigned /*attempts_so_far*/, weir::duration wait)
    {
        std::printf("  trying again in %d ms\n", ms(wait));
    }

    void retry_suppressed(weir::no_retry why)
    {
        std::printf("  no further attempt: %s\n",
                    why == weir::no_retry::permanent ? "another would only repeat it" : "enough is enough");
    }

    void refused(weir::rejection const& r)
    {
        std::printf("refused by %s: %s\n", std::string(r.gate).c_str(), make_error_code(r.code).message().c_str());
    }

    void call_ended(weir::call_report const& r)
    {
        ++calls_;
        ++(r.refused ? refused_ : r.last.ok() ? answered_ : failed_);
        elapsed_ += r.elapsed;
    }

    void print() const
    {
        std::printf("%d calls: %d answered, %d failed, %d refused; %d attempts took %d ms of %d ms\n", calls_,
                    answered_, failed_, refused_, attempts_, ms(busy_), ms(elapsed_));
    }

private:
    int calls_ = 0, answered_ = 0, failed_ = 0, refused_ = 0, attempts_ = 0;
    weir::duration busy_{}, elapsed_{};
};

}  // namespace

int main()
{
    call_log log;
    weir::testing::manual_clock clock;                 // waits in no time; leave it out and the pauses are real
    auto guarded = weir::pipeline(weir::observe(log),  // an lvalue is shared: ask it afterwards
                                  weir::token_bucket{{.rate = weir::per_minute(1), .burst = 2}},
                                  weir::retry({.backoff = weir::constant(100ms).with(weir::jitter::none)}));

    (void)guarded.call(
        [&](weir::attempt const& a) -> weir::result<std::string> {
            clock.advance(a.number() == 1 ? 20ms : 30ms);
            if (a.number() == 1) return {std::make_error_code(std::errc::connection_reset)};
            return "bread";
        },
        clock);

    (void)guarded.call(
        [&](weir::attempt const&) {
            clock.advance(10ms);
            return std::make_error_code(std::errc::permission_denied);
        },
        clock);

    (void)guarded.call([](weir::attempt const&) { return "never asked"; }, clock);

    log.print();
}
