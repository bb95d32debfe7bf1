// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/circuit_breaker_options.hpp>
#include <weir/breaker/detail/circuit.hpp>
#include <weir/breaker/tally.hpp>
#include <weir/breaker/transitions.hpp>
#include <weir/core/admission.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

namespace weir {

/// Stops sending to a peer that keeps failing, and finds out with a few probes when it is well again.
///
///   closed ──(rate, number or run of failures)──► open ──(time over)──► half_open ──(probes fail)──► open, for longer
///      ▲                                                            └──(probes succeed)──► closed
///
/// Every change of state begins a generation, and a permit remembers its own: a result that comes back in a later one
/// counts nowhere. An ignored outcome, or a permit destroyed unsettled, counts nothing and gives its probe's place
/// back. A probe that has not reported when its lease ends has failed, so half-open ends whatever the probes do. One
/// failure that says so (outcome::opens: a revoked key, maintenance) opens it, whatever the window holds. It opens for
/// at least as long as the failure that opened it asked for (outcome::retry_after), up to max_open_for.
///
/// After closing, with `ramp_for`, it lets a growing share of the calls through. To open again on the way up counts as
/// a recovery that failed.
///
/// There is none that several processes share, on purpose. Each judges what it sees itself: a shared verdict would make
/// one bad client, host or network path an outage for all, and a call would wait for the store that keeps it.
///
/// Refuses: errc::circuit_open. retry_at: when it will be half open; while the probes are out, when the first lease
///          ends; on the ramp, when the share reaches what this call drew; `never` while forced open.
/// Throws:  construction, reconfigure and on_transition; std::invalid_argument names the field. Nothing else throws.
/// Threads: everything at once from any thread. May be moved only before its first use. It must outlive its permits.
///          Counts are exact with any number of threads; of two results at a bucket's edge either may be in the later.
/// Cost:    closed: admission is one load; a success is a compare-exchange on a line of its own processor, or a load (a
///          count window full of successes). A refusal counts itself there, too. Failures, slow calls, probes and
///          changes of state take a short mutex. No allocation while nothing changes.
/// Seen in: examples/08_circuit_breaker.cpp
template <clock Clock = tsc_clock>
class basic_circuit_breaker {
public:
    using options = circuit_breaker_options;
    class permit;

    explicit basic_circuit_breaker(options o = {}, Clock c = {}) : circuit_(std::move(o), std::move(c)) {}
    basic_circuit_breaker(basic_circuit_breaker&& other)
        : basic_circuit_breaker(other.circuit_.options_before_use(), other.circuit_.clock)
    {
        circuit_.transitions().set_listeners(other.circuit_.transitions().take_listeners());
    }
    basic_circuit_breaker& operator=(basic_circuit_breaker&&) = delete;

    [[nodiscard]] admission<permit> admit(time_point now) noexcept
    {
        if (auto const s = circuit_.admit_at_once()) [[likely]]
            return admission<permit>(std::in_place, &circuit_, s, 0u);
        auto a = circuit_.admit(now);
        if (!a) return a.refused();
        return admission<permit>(std::in_place, *std::move(a));
    }
    [[nodiscard]] admission<permit> admit() noexcept { return admit(circuit_.clock.now()); }

    /// Half-open is reached by asking: once the open time is over this says half_open, and the next admit, or
    /// `advance`, makes it so.
    [[nodiscard]] circuit_state state(time_point now) const noexcept { return circuit_.state(now); }
    [[nodiscard]] circuit_state state() const noexcept { return state(circuit_.clock.now()); }

    /// The share of calls let through: 1 while closed or disabled, less on the ramp, 0 while only probes are.
    [[nodiscard]] double share(time_point now) const noexcept { return circuit_.share(now); }

    /// What the window holds at `now`. It is kept while open and emptied on closing.
    [[nodiscard]] circuit_tally tally(time_point now) const noexcept { return circuit_.tally(now); }

    /// Of the calls in the window; nothing below the minimum number of calls.
    [[nodiscard]] std::optional<double> failure_rate(time_point now) const noexcept
    {
        return circuit_.rate(now, &circuit_tally::failures);
    }
    [[nodiscard]] std::optional<double> slow_call_rate(time_point now) const noexcept
    {
        return circuit_.rate(now, &circuit_tally::slow);
    }

    /// Calls refused since construction. They are never in the window.
    [[nodiscard]] std::uint64_t refusals() const noexcept { return circuit_.refusals(); }

    /// Closed, and what came before has no bearing on what comes: it equals a new one.
    [[nodiscard]] bool idle(time_point now) const noexcept { return circuit_.idle(now); }

    /// By hand. Each begins a generation, so calls in flight no longer count. reset() closes with an empty window and
    /// without a ramp; open() is the usual opening, for open_for.
    void force_open(time_point now) noexcept { circuit_.set_state(circuit_state::forced_open, now); }
    void disable(time_point now) noexcept { circuit_.set_state(circuit_state::disabled, now); }
    void reset(time_point now) noexcept { circuit_.set_state(circuit_state::closed, now); }
    void open(time_point now) noexcept { circuit_.set_state(circuit_state::open, now); }
    void half_open(time_point now) noexcept { circuit_.set_state(circuit_state::half_open, now); }
    void force_open() noexcept { force_open(circuit_.clock.now()); }
    void disable() noexcept { disable(circuit_.clock.now()); }
    void reset() noexcept { reset(circuit_.clock.now()); }
    void open() noexcept { open(circuit_.clock.now()); }
    void half_open() noexcept { half_open(circuit_.clock.now()); }

    /// For a timer, so that listeners hear of half-open without a call: `advance` does what is due at `now`, and
    /// next_transition says when the time alone will change something again; `never`: not unless a call does.
    void advance(time_point now) noexcept { circuit_.advance(now); }
    void advance() noexcept { advance(circuit_.clock.now()); }
    [[nodiscard]] time_point next_transition() const noexcept { return circuit_.next_transition(); }

    /// Adds a listener. It hears every transition after it happened, in order, one at a time, on the thread of some
    /// call, with no lock held: it may use the breaker. What it throws is dropped.
    void on_transition(std::function<void(circuit_transition const&)> listener)
    {
        circuit_.transitions().listen(std::move(listener));
    }

    /// New limits. Window contents, state, generation, open deadline, probes in flight and a ramp that has begun stay,
    /// and so do name, stripes and seed. A window of another kind or size starts from what the old one held. Switching
    /// dry_run on closes an open circuit.
    void reconfigure(options o, time_point now) { circuit_.reconfigure(std::move(o), now); }
    void reconfigure(options o) { reconfigure(std::move(o), circuit_.clock.now()); }

    /// As they are in force. Takes a lock, and copies the name.
    [[nodiscard]] options get_options() const { return circuit_.get_options(); }

    [[nodiscard]] std::string_view name() const noexcept { return circuit_.name(); }

    /// For async_acquire (async/async_acquire_circuit.hpp).
    [[nodiscard]] detail::circuit_line& line() noexcept { return circuit_.line(); }

private:
    struct circuit_with_clock : detail::circuit {
        circuit_with_clock(options o, Clock c) : circuit(std::move(o)), clock(std::move(c)) {}
        [[no_unique_address]] Clock clock;
    };

    circuit_with_clock circuit_;
};

/// Leave to make one call. Settle it with how the call ended: `record(outcome, now)`.
template <clock Clock>
class [[nodiscard]] basic_circuit_breaker<Clock>::permit : public detail::circuit_permit {
public:
    permit() noexcept : detail::circuit_permit(nullptr, 0u, 0u) {}  ///< no leave, and nothing to settle
    explicit permit(detail::circuit_permit&& p) noexcept : detail::circuit_permit(std::move(p)) {}
    using detail::circuit_permit::circuit_permit;
    using detail::circuit_permit::record;

    void record(outcome const& o) noexcept
    {
        if (circuit_ != nullptr) record(o, static_cast<circuit_with_clock*>(circuit_)->clock.now());
    }
};

using circuit_breaker = basic_circuit_breaker<>;

}  // namespace weir
