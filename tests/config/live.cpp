// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/live.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <thread>

TEST_CASE("live: readers hold the version they took, later ones get the new one")
{
    weir::config::live<std::string> value("old");
    auto const held = value.get();
    value.reconfigure("new");
    CHECK(*held == "old");
    CHECK(*value.get() == "new");
}

TEST_CASE("live: a value that its check refuses leaves the old one, and is none to begin with")
{
    auto const positive = [](int n) {
        if (n <= 0) throw std::invalid_argument("must be above 0");
    };
    weir::config::live<int> value(1, positive);
    CHECK_THROWS_AS(value.reconfigure(0), std::invalid_argument);
    CHECK(*value.get() == 1);
    CHECK_THROWS_AS(weir::config::live<int>(0, positive), std::invalid_argument);
}

TEST_CASE("live: changed by one thread and read by another")
{
    weir::config::live<std::string> value("0");
    std::thread writer([&] {
        for (int n = 1; n <= 1000; ++n) value.reconfigure(std::to_string(n));
    });
    int last = 0;
    bool forward = true;
    while (last < 1000) {
        auto const now = std::stoi(*value.get());
        forward = forward && now >= last;
        last = now;
    }
    writer.join();
    CHECK(forward);
}
