// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/watch_options.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::registry::watch_options;

TEST_CASE("watch_options: the defaults are good, and what is out of range is named")
{
    CHECK_NOTHROW(watch_options{}.check());
    CHECK_NOTHROW(watch_options{.hold = 0s, .max_loss = 1, .settled = 0s, .pace = 0s}.check());

    struct row {
        watch_options o;
        char const* named;
    };
    for (auto const& r : {
             row{{.hold = -1s}, "watch_options.hold must be at least 0 ms"},
             row{{.max_loss = 1.5}, "watch_options.max_loss must be in [0, 1], and is 1.5"},
             row{{.max_loss = std::numeric_limits<double>::quiet_NaN()}, "watch_options.max_loss"},
             row{{.list_timeout = 0s}, "watch_options.list_timeout must be above 0 ms"},
             row{{.await_timeout = -1s}, "watch_options.await_timeout must be above 0 ms"},
             row{{.settled = -1s}, "watch_options.settled must be at least 0 ms"},
             row{{.pace = -1s}, "watch_options.pace must be at least 0 ms"},
         }) {
        CAPTURE(r.named);
        CHECK_THROWS_WITH_AS(r.o.check(), doctest::Contains(r.named), std::invalid_argument);
    }
}
