// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A circuit breaker for every host: one that fails is left alone, the others never notice. Their number is bounded: a
// new host takes the place of one that nobody needs, and a host that is known to be sick keeps its place.
//
// After a recovery the traffic ramps up: half of the calls at first, all of them four seconds later.
//
// Expected output:
//   eu-1 closed -> open
//   eu-1 refused: come back in 5.0 s; eu-2 admitted
//   eu-1 open -> half_open
//   eu-1 half_open -> closed
//   second 0 after the recovery: share  50 %
//   second 1 after the recovery: share  62 %
//   second 2 after the recovery: share  75 %
//   second 3 after the recovery: share  88 %
//   second 4 after the recovery: share 100 %
//   eu-2 closed -> open
//   a scan of 1000 hosts: 3 breakers, 999 made way, 0 calls without one
//   eu-2 is still known to be sick

#include <weir/breaker/keyed_breakers.hpp>
#include <weir/testing/manual_clock.hpp>

#include <cstdio>
#include <string>

using namespace std::chrono_literals;

namespace {

weir::testing::manual_clock clock_;

// In production: weir::keyed_breakers<std::string> per_host{{...}};
using breakers = weir::basic_keyed_breakers<std::string, weir::testing::manual_clock>;

/// Calls a host, if its breaker lets us.
bool ask(breakers& per_host, std::string const& host, bool up)
{
    auto leave = per_host.admit(host);
    if (leave) leave->record(up ? weir::outcome::success(20ms) : weir::outcome::failure(20ms));
    return static_cast<bool>(leave);
}

double seconds(weir::duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

int main()
{
    breakers per_host(
        {.each = {.minimum_calls = 3, .open_for = 5s, .half_open_probes = 1, .ramp_for = 4s, .ramp_from = 0.5},
         .capacity = 3,
         .idle_for = 1ms},
        clock_);
    per_host.on_transition([](std::string const& host, weir::circuit_transition const& t) {
        std::printf("%s %s -> %s\n", host.c_str(), std::string(to_string(t.from)).c_str(),
                    std::string(to_string(t.to)).c_str());
    });

    for (int i = 0; i < 3; ++i) ask(per_host, "eu-1", false);
    auto const no = per_host.admit("eu-1").refused();
    std::printf("eu-1 refused: come back in %.1f s; eu-2 %s\n", seconds(no.retry_at - clock_.now()),
                ask(per_host, "eu-2", true) ? "admitted" : "refused");

    clock_.advance(5s);
    ask(per_host, "eu-1", true);  // the probe
    {
        auto const one_host = per_host.of("eu-1");  // keeps its place while we look
        for (int second = 0; second <= 4; ++second, clock_.advance(1s))
            std::printf("second %d after the recovery: share %3.0f %%\n", second,
                        100 * one_host.guard()->share(clock_.now()));
    }

    for (int i = 0; i < 3; ++i) ask(per_host, "eu-2", false);
    for (int i = 0; i < 1000; ++i) {
        ask(per_host, "host-" + std::to_string(i), true);
        clock_.advance(1ms);
    }
    std::printf("a scan of 1000 hosts: %zu breakers, %d made way, %d calls without one\n", per_host.size(),
                static_cast<int>(per_host.evictions()), static_cast<int>(per_host.unguarded()));
    if (!per_host.admit("eu-2")) std::printf("eu-2 is still known to be sick\n");
}
