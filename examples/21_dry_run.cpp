// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Bringing in a limit where traffic already flows. In a dry run the limiter decides as ever, but lets pass and counts
// whatever it would have refused; when the count is what was expected, its refusals are enforced, a share at a time,
// without a restart.
//
// Expected output:
//   dry run:             3600 calls served,    0 refused, 1791 would have been
//   the first of them:   by token_bucket, to come again 20 s after the start
//   one in four stands:  3119 calls served,  481 refused, 1319 would have been
//   all stand:           1800 calls served, 1800 refused,    0 would have been

#include <weir/call/dry_run.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <cstdio>
#include <optional>
#include <string>

using namespace std::chrono_literals;

int main()
{
    weir::testing::manual_clock clock;
    auto const begin = clock.now();

    weir::token_bucket bucket{{.rate = weir::per_minute(30), .burst = 10}};
    std::optional<weir::rejection> first;
    weir::dry_run watched{bucket, {.enforce = 0.0}, [&](weir::rejection const& r) {
                              if (!first) first = r;
                          }};
    auto guarded = weir::pipeline(watched);

    auto const an_hour = [&](char const* title) {
        int served = 0, refused = 0;
        auto const before = watched.would_have_refused();
        for (int second = 0; second < 3600; ++second, clock.advance(1s))  // one call a second, twice the limit
            ++(guarded.call([](weir::attempt const&) { return 42; }, clock) ? served : refused);
        std::printf("%-20s %d calls served, %4d refused, %4d would have been\n", title, served, refused,
                    static_cast<int>(watched.would_have_refused() - before));
    };

    an_hour("dry run:");
    std::printf("%-20s by %s, to come again %d s after the start\n",
                "the first of them:", std::string(first->gate).c_str(),
                static_cast<int>((first->retry_at - begin) / 1s));

    weir::thread_random().seed(1);  // which of the refusals stand is drawn; here, the same ones every time
    watched.reconfigure({.enforce = 0.25});
    an_hour("one in four stands:");

    watched.reconfigure({.enforce = 1.0});
    an_hour("all stand:");
}
