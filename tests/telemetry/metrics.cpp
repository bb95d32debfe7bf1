// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/telemetry/metrics.hpp>

#include <weir/config/version_record.hpp>
#include <weir/registry/caching.hpp>
#include <weir/registry/lease.hpp>
#include <weir/registry/watch.hpp>
#include <weir/shared/shared_limit.hpp>

#include <support/count_fields.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <map>
#include <string>

using namespace std::chrono_literals;
using weir::telemetry::metric;

namespace {

/// By name; each has a name of its own.
template <class Status>
std::map<std::string, metric> all_of(Status const& s, weir::time_point now = {})
{
    std::map<std::string, metric> found;
    weir::telemetry::visit(s, now, [&](metric const& m) { CHECK(found.emplace(std::string(m.name), m).second); });
    return found;
}

/// Every field is there, but so many that are texts.
template <class Status>
void complete(std::size_t texts = 0)
{
    CHECK(all_of(Status{}).size() == weir::testing::count_fields<Status>() - texts);
}

}  // namespace

TEST_CASE("metrics: every number, state and time of every status is there")
{
    complete<weir::registry::watch_status>(4);  // last_error, note, remark, server
    complete<weir::registry::lease_status>();
    complete<weir::registry::caching_status>(1);  // note
    complete<weir::config::refresh_status>(3);    // last_error, note, version
    complete<weir::shared_limit_status>();
}

TEST_CASE("metrics: have a kind, a unit and a value")
{
    weir::registry::watch_status s;
    CHECK(std::isinf(all_of(s).at("age").value));
    s.connected = true;
    s.answers = 7;
    s.last_answer = weir::time_point{10s};
    auto const m = all_of(s, weir::time_point{12500ms});
    CHECK(m.at("connected").value == 1);
    CHECK(m.at("connected").what == metric::kind::gauge);
    CHECK(m.at("answers").value == 7);
    CHECK(m.at("answers").what == metric::kind::counter);
    CHECK(m.at("answers").unit.empty());
    CHECK(m.at("age").value == 2.5);
    CHECK(m.at("age").unit == "seconds");

    weir::config::refresh_status r;
    r.last_success = std::chrono::system_clock::time_point{90s};
    CHECK(all_of(r).at("last_success_timestamp").value == 90);

    weir::registry::lease_status l;
    CHECK(std::isinf(all_of(l).at("age").value));
    l.beats = 1;
    l.last_beat = weir::time_point{1s};
    CHECK(all_of(l, weir::time_point{3s}).at("age").value == 2);
}
