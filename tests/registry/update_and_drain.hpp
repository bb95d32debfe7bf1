// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>
#include <weir/registry/instance.hpp>
#include <weir/registry/lease.hpp>
#include <weir/registry/registration.hpp>
#include <weir/registry/snapshot.hpp>
#include <weir/registry/watch.hpp>

#include <doctest/doctest.h>

#include <boost/system/error_code.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace weir::testing {

/// The life of an instance as those who watch see it: registered; said to be otherwise, and at another place; critical
/// while it drains, which registries that hide such instances (`hides`) show as none; gone. At no time are there two.
template <class Registry>
void check_update_and_drain(Registry const& registry, duration ttl, std::function<bool(std::function<bool()>)> until,
                            duration drain = std::chrono::seconds(2), bool hides = false)
{
    using registry::health;
    using registry::lease;
    registry::registration r{.service = "web",
                             .address = "10.0.0.1",
                             .port = 80,
                             .id = "moving",
                             .tags = {"blue"},
                             .meta = {{"build", "1"}},
                             .weight = 10,
                             .ttl = ttl};
    auto const watch = registry.watch({"web"});
    // "address:port tag build weight", with a sign for the state, for each that is there.
    auto const shown = [&] {
        std::string out;
        auto const now = watch.current();
        if (!now) return std::string("nothing");
        for (auto const& i : *now->instances) {
            auto const build = i.address.metadata.find("build");
            out += i.address.host + ':' + std::to_string(i.address.port) + ' ' + (i.tags.empty() ? "" : i.tags[0]) +
                   ' ' + (build == i.address.metadata.end() ? "" : build->second) + ' ' +
                   std::to_string(i.address.weight) + std::string("+~-")[static_cast<std::size_t>(i.state)];
        }
        return out;
    };
    auto const shows = [&](std::string const& what) {
        CHECK_MESSAGE(until([&] { return shown() == what; }), "it shows ", shown(), " and not ", what);
    };

    std::optional<lease> held;
    std::function<void(boost::system::error_code, lease)> const heard = [&](boost::system::error_code ec, lease l) {
        CHECK_FALSE(ec);
        held.emplace(std::move(l));
    };
    registry.async_register(r, heard);
    REQUIRE(until([&] { return held.has_value(); }));
    shows("10.0.0.1:80 blue 1 10+");

    r.meta["build"] = "2";
    r.tags = {"green"};
    r.weight = 7;
    held->update(r);
    shows("10.0.0.1:80 green 2 7+");
    r.address = "10.0.0.9";
    r.port = 81;
    held->update(r);
    shows("10.0.0.9:81 green 2 7+");

    std::optional<boost::system::error_code> drained;
    std::function<void(boost::system::error_code)> const left = [&](boost::system::error_code ec) { drained = ec; };
    held->async_drain(drain, left);
    shows(hides ? "" : "10.0.0.9:81 green 2 7-");
    CHECK_FALSE(drained);
    REQUIRE(until([&] { return drained.has_value(); }));
    CHECK_FALSE(*drained);
    shows("");
}

}  // namespace weir::testing
