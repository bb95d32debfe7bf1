// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A service that is down is not asked again and again. When half of the recent calls have failed, the circuit opens and
// callers are refused at once; after a while a few probes find out whether the service is back. Each probe that fails
// makes the pause longer.
//
// Time is simulated: ten calls a second, and the warehouse is down from second 3 to second 14.
//
// Expected output:
//    3.9 s  closed -> open
//   first refusal: circuit open, come back in 4.9 s
//    8.9 s  open -> half_open
//    9.0 s  half_open -> open
//   16.5 s  open -> half_open
//   16.6 s  half_open -> closed
//   of 200 calls 65 were answered, 12 failed, 123 were refused; the ailing warehouse was spared 98 requests

#include <weir/breaker/circuit_breaker.hpp>
#include <weir/testing/manual_clock.hpp>

#include <cstdio>
#include <string>

using namespace std::chrono_literals;

namespace {

double seconds(weir::duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

int main()
{
    weir::testing::manual_clock clock;  // in production: weir::circuit_breaker breaker{{...}}, and no clock
    auto const start = clock.now();

    weir::basic_circuit_breaker breaker({.failure_rate = 0.5,
                                         .minimum_calls = 10,
                                         .window = weir::count_window(20),
                                         .open_for = 5s,
                                         .half_open_probes = 3},
                                        clock);

    breaker.on_transition([&](weir::circuit_transition const& t) {
        std::printf("%4.1f s  %s -> %s\n", seconds(t.at - start), std::string(to_string(t.from)).c_str(),
                    std::string(to_string(t.to)).c_str());
    });

    int answered = 0, failed = 0, refused = 0, spared = 0;
    for (int i = 0; i < 200; ++i, clock.advance(100ms)) {
        bool const up = i < 30 || i >= 140;

        auto leave = breaker.admit();
        if (!leave) {
            auto const& no = leave.refused();
            if (refused++ == 0)
                std::printf("first refusal: %s, come back in %.1f s\n", make_error_code(no.code).message().c_str(),
                            seconds(no.retry_at - clock.now()));
            spared += !up;
            continue;
        }
        // Here the warehouse is called. A permit that is not settled, because this threw, counts for nothing.
        leave->record(up ? weir::outcome::success(20ms) : weir::outcome::failure(20ms));
        ++(up ? answered : failed);
    }
    std::printf(
        "of 200 calls %d were answered, %d failed, %d were refused; the ailing warehouse was spared %d requests\n",
        answered, failed, refused, spared);
}
