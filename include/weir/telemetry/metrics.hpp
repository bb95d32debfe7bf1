// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

namespace weir {
struct shared_limit_status;
namespace registry {
struct watch_status;
struct lease_status;
struct caching_status;
}  // namespace registry
namespace config {
struct refresh_status;
}
}  // namespace weir

namespace weir::telemetry {

/// A number with a name, as exporters want it.
struct metric {
    enum class kind : std::uint8_t {
        counter,  ///< only grows
        gauge,    ///< as it is now; a state is 0 or 1
    };
    std::string_view name;  ///< in snake_case, without the unit
    kind what = kind::gauge;
    std::string_view unit = {};  ///< "seconds", or empty for what is counted
    double value = 0;
};

// The numbers and states of each status of weir, by the names of its fields; ages and times in seconds. An exporter is
// a visitor:
//
//   weir::telemetry::visit(watch.status(), now, [&](weir::telemetry::metric const& m) { gauges[m.name] = m.value; });
//
// A status of your own takes part with a `describe(f, status, now)` of its own, found by argument-dependent lookup.
// Only who asks for the numbers of a status includes its header. Not here: texts, which are for logs.

// --- registry -----------------------------------------------------------------------------------------------------

template <class F, std::same_as<registry::watch_status> Status>
void describe(F& f, Status const& s, time_point now)
{
    f.gauge("connected", s.connected);
    f.gauge("age", s.age(now));
    f.counter("answers", s.answers);
    f.counter("failures", s.failures);
    f.counter("resyncs", s.resyncs);
    f.counter("held", s.held);
    f.gauge("skipped", s.skipped);
    f.counter("rotations", s.rotations);
}

template <class F, std::same_as<registry::lease_status> Status>
void describe(F& f, Status const& s, time_point now)
{
    f.gauge("registered", s.registered);
    f.gauge("age", s.beats == 0 ? never.time_since_epoch() : between(s.last_beat, now));
    f.counter("beats", s.beats);
    f.counter("failures", s.failures);
    f.counter("lost", s.lost);
}

template <class F, std::same_as<registry::caching_status> Status>
void describe(F& f, Status const& s, time_point)
{
    f.counter("read", s.read);
    f.counter("refused", s.refused);
    f.counter("written", s.written);
    f.counter("failed", s.failed);
}

// --- config -------------------------------------------------------------------------------------------------------

template <class F, std::same_as<config::refresh_status> Status>
void describe(F& f, Status const& s, time_point now)
{
    f.gauge("connected", s.connected);
    f.gauge("missing", s.missing);
    f.gauge("age", s.age(now));
    f.counter("answers", s.answers);
    f.counter("failures", s.failures);
    f.counter("applied", s.applied);
    f.counter("refused", s.refused);
    f.counter("rolled_back", s.rolled_back);
    f.gauge("number", s.number);
    f.gauge("last_success_timestamp", s.last_success);
    f.gauge("differs", s.differs);
}

// --- shared -------------------------------------------------------------------------------------------------------

template <class F, std::same_as<shared_limit_status> Status>
void describe(F& f, Status const& s, time_point)
{
    f.counter("questions", s.questions);
    f.counter("granted", s.granted);
    f.counter("refusals", s.refusals);
    f.counter("refused", s.refused);
    f.counter("admitted_without_store", s.admitted_without_store);
    f.counter("given_back", s.given_back);
    f.counter("ended", s.ended);
    f.counter("store_errors", s.store_errors);
    f.counter("late_answers", s.late_answers);
    f.counter("keys_refused", s.keys_refused);
    f.gauge("keys", s.keys);
    f.counter("without_store", s.without_store);
    f.gauge("on_fallback", s.on_fallback);
}

// Bodies

namespace detail {

template <class Visitor>
struct metric_visitor {
    template <class T>
    void counter(std::string_view name, T value)
    {
        tell(name, metric::kind::counter, value);
    }
    template <class T>
    void gauge(std::string_view name, T value)
    {
        tell(name, metric::kind::gauge, value);
    }

    void tell(std::string_view name, metric::kind k, duration d)
    {
        visit(metric{
            name, k, "seconds",
            d == duration::max() ? std::numeric_limits<double>::infinity() : std::chrono::duration<double>(d).count()});
    }
    void tell(std::string_view name, metric::kind k, std::chrono::system_clock::time_point t)
    {
        visit(metric{name, k, "seconds", std::chrono::duration<double>(t.time_since_epoch()).count()});
    }
    template <class Number>
        requires std::integral<Number> || std::floating_point<Number>
    void tell(std::string_view name, metric::kind k, Number n)
    {
        visit(metric{name, k, {}, static_cast<double>(n)});
    }

    Visitor& visit;
};

}  // namespace detail

/// Calls `visitor` with each metric of the status, in the order of its fields. An age of what has never been is
/// infinite.
template <class Status, std::invocable<metric const&> Visitor>
void visit(Status const& status, time_point now, Visitor&& visitor)
{
    detail::metric_visitor<std::remove_reference_t<Visitor>> f{visitor};
    describe(f, status, now);
}

}  // namespace weir::telemetry
