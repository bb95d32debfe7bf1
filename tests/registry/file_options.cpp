// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/file_options.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

using namespace std::chrono_literals;
using weir::registry::file_options;

TEST_CASE("file_options: the URL says path and poll; what cannot be used is named")
{
    auto const o = file_options{.url = "file:///etc/a%20b.json?poll=250ms", .path = "ignored"}.checked();
    CHECK(o.path == "/etc/a b.json");
    CHECK(o.poll == 250ms);
    CHECK(o.watch.await_timeout == 65s);
    CHECK(file_options{.path = "relative.json"}.checked().path == "relative.json");

    struct row {
        file_options o;
        char const* named;
    };
    for (auto const& r : {
             row{{}, "file_options.path must not be empty"},
             row{{.url = "file://host/x"}, "it names no host"},
             row{{.url = "file://"}, "it must have the path of a file, as in file:///etc/weir/services.json"},
             row{{.url = "file:///x?token=canary"}, "there is no parameter \"token\"; it knows poll"},
             row{{.path = "x", .poll = 1ms}, "file_options.poll must be at least 10 ms"},
             row{{.path = "x", .patience = 0s}, "file_options.patience must be above 0 ms"},
         }) {
        CAPTURE(r.named);
        CHECK_THROWS_WITH_AS((void)r.o.checked(), doctest::Contains(r.named), std::invalid_argument);
    }
}
