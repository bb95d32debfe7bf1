// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// When a service is down, asking it again and again costs both sides. A throttle watches how much of what was asked was
// accepted, and refuses the rest here, without a connection, a packet or a wait. It keeps probing with a tenth, and
// when the service is well again, it opens step by step, not at once.
//
// A client asks 100 times a second; between the 10th and the 40th second the service refuses everything.
//
// Expected output:
//   second  sent of 100
//        5  100  ####################
//       12  100  ####################
//       15  81   ################
//       25  5    #
//       38  17   ###
//       42  10   ##
//       46  12   ##
//       50  26   #####
//       54  59   ###########
//       58  100  ####################

#include <weir/breaker/throttle.hpp>

#include <cstdio>
#include <string>

using namespace std::chrono_literals;

int main()
{
    weir::throttle gate{{.k = 2, .window = 10s}};
    weir::random_engine random{1};  // a seed, so that this page can promise what is printed; admit(now) has its own

    std::puts("second  sent of 100");
    weir::time_point now{1h};
    for (int second = 0; second < 60; ++second) {
        int sent = 0;
        for (int i = 0; i < 100; ++i, now += 10ms) {
            auto request = gate.admit(now, random);
            if (!request) continue;  // refused here: request.refused().retry_at is when to come again
            ++sent;
            bool const down = second >= 10 && second < 40;
            request->record(down ? weir::outcome::failure() : weir::outcome::success(), now);
        }
        for (int shown : {5, 12, 15, 25, 38, 42, 46, 50, 54, 58})
            if (second == shown)
                std::printf("%6d  %-3d  %s\n", second, sent,
                            std::string(static_cast<std::size_t>(sent / 5), '#').c_str());
    }
}
