// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Four limiters, one promise: "six per second". What each lets through of the same crowd, who ask every 50 ms, starting
// in the middle of a window. A digit is how many of three were admitted at that moment.
//
//   fixed_window             six in each second of the clock; at the edge of two, twice as many within a moment
//   sliding_window_limiter   the second before counts by the share of it that is still near
//   sliding_window_log       never more than six in any second
//   warm_up                  no burst at all, and slower at first
//
// Expected output:
//                            0.8 s  1.0 s               2.0 s               3.0 s
//                            |      |                   |                   |
//   fixed_window             33..   33..................33..................33..............  most in a second: 12
//   sliding_window_limiter   33..   ....1..1..1...1..1..1...1...1...1...1...1...1...1...1...  most in a second: 10
//   sliding_window_log       33..   ................33..................33..................  most in a second: 6
//   warm_up                  1...   .....1......1....1...1...1...1...1...1...1...1...1...1..  most in a second: 5

#include <weir/limit/fixed_window.hpp>
#include <weir/limit/sliding_window_limiter.hpp>
#include <weir/limit/sliding_window_log.hpp>
#include <weir/limit/warm_up.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

constexpr weir::time_point begin{1h};  // any full second

void crowd(auto limiter)
{
    std::string line;
    std::vector<weir::time_point> admitted;
    for (auto t = begin + 800ms; t < begin + 3800ms; t += 50ms) {
        if (t == begin + 1s) line += "   ";
        int n = 0;
        for (int i = 0; i < 3; ++i)
            if (limiter.try_acquire(1, t)) ++n, admitted.push_back(t);
        line += n == 0 ? '.' : static_cast<char>('0' + n);
    }
    std::ptrdiff_t most = 0;
    for (auto t : admitted)
        most = std::max(most, std::count_if(admitted.begin(), admitted.end(),
                                            [t](auto other) { return other >= t && other < t + 1s; }));
    std::printf("%-23s  %s  most in a second: %d\n", limiter.name().c_str(), line.c_str(), static_cast<int>(most));
}

}  // namespace

int main()
{
    std::puts("                         0.8 s  1.0 s               2.0 s               3.0 s");
    std::puts("                         |      |                   |                   |");
    crowd(weir::fixed_window{{.limit = 6, .window = 1s}});
    crowd(weir::sliding_window_limiter{{.limit = 6, .window = 1s}});
    crowd(weir::sliding_window_log{{.limit = 6, .window = 1s}});
    crowd(weir::warm_up{{.rate = weir::per_second(6), .warm_up = 1s}});
}
