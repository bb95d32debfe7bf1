// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/call_options.hpp>
#include <weir/core/gate.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/gate_wrapper.hpp>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir {

/// The token of a jittered gate: the inner one with a later start.
template <token Token>
class [[nodiscard]] jittered_permit {
public:
    jittered_permit(Token inner, time_point start) noexcept : inner_(std::move(inner)), start_(start) {}

    [[nodiscard]] time_point start_at() const noexcept { return start_; }
    void record(outcome const& o, time_point now) noexcept { inner_.record(o, now); }
    bool cancel() noexcept
        requires requires(Token& t) { t.cancel(); }
    {
        return inner_.cancel();
    }

private:
    Token inner_;
    time_point start_;
};

/// Spreads those who are let go at one instant: a limiter tells all whom it refuses in a busy moment to come back when
/// the next window opens, and they come together. Here every start in the future and every retry_at is later by a
/// random time below `up_to`, each by its own. Who may start at once starts at once.
///
///   weir::fixed_window quota{{...}};
///   weir::jittered polite{quota, 200ms};     // by reference; jittered{weir::token_bucket{...}, 200ms} owns it
///
/// A start is never put off beyond the caller's max_wait. The reservations are the inner gate's, used late: if it holds
/// sends <= rate * t + burst in every window t, then so does this with t + up_to for t.
/// All else, `try_acquire` for one, is the inner gate's.
///
/// Units:   up_to from 0; 0: as without.   Throws: constructor only, std::invalid_argument for up_to.
/// Threads: as the inner gate; a generator is used by one thread at a time.
/// Cost:    the inner gate's, and one random number for each that has to wait. Never allocates. The first one of a
///          thread asks std::random_device for a seed; a system that has none ends the program, as nothing here throws.
/// Lifetimes: an inner gate given by name outlives it.   Seen in: examples/41_polite.cpp
template <class Gate>
class jittered : public detail::gate_wrapper<Gate> {
    using base = detail::gate_wrapper<Gate>;
    using inner_gate = typename base::inner_gate;
    using inner_token = typename decltype(detail::some_answer(std::declval<inner_gate&>()))::token_type;

public:
    using token = std::conditional_t<detail::has_start<inner_token>, jittered_permit<inner_token>, inner_token>;

    jittered(Gate&& gate, duration up_to) : base(std::forward<Gate>(gate)), up_to_(up_to)
    {
        if (up_to < duration::zero()) detail::bad_option("jittered.up_to", "at least 0 ms", up_to);
    }

    admission<token> admit(time_point now) noexcept
        requires gate<inner_gate>
    {
        return admit(now, thread_random());
    }
    template <random_source Random>
    admission<token> admit(time_point now, Random& random) noexcept
        requires gate<inner_gate>
    {
        return spread(this->inner().admit(now), now, never, random);
    }

    /// Of a gate that looks at the call (core/gate.hpp).
    admission<token> admit(call_facts const& of, time_point now) noexcept
        requires facts_gate<inner_gate>
    {
        return spread(this->inner().admit(of, now), now, never, thread_random());
    }
    admission<token> admit(std::string_view key, time_point now) noexcept
        requires keyed_gate<inner_gate>
    {
        return spread(this->inner().admit(key, now), now, never, thread_random());
    }

    admission<token> reserve(std::uint64_t n, duration max_wait, time_point now) noexcept
        requires requires(inner_gate& g) { g.reserve(n, max_wait, now); }
    {
        return reserve(n, max_wait, now, thread_random());
    }
    template <random_source Random>
    admission<token> reserve(std::uint64_t n, duration max_wait, time_point now, Random& random) noexcept
        requires requires(inner_gate& g) { g.reserve(n, max_wait, now); }
    {
        return spread(this->inner().reserve(n, max_wait, now), now, later(now, max_wait), random);
    }

    /// As for those who are refused: the inner gate's, spread.
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const noexcept
        requires requires(inner_gate const& g) { g.retry_at(n, now); }
    {
        auto const at = this->inner().retry_at(n, now);
        return at > now ? later(at, draw(up_to_, thread_random())) : at;  // never stays never
    }

private:
    template <class Random>
    [[nodiscard]] static duration draw(duration below, Random& random) noexcept
    {
        auto const n = static_cast<std::uint64_t>(std::max(below, duration::zero()).count());
        return duration{static_cast<duration::rep>(uniform_below(random, n))};
    }

    template <class Random>
    admission<token> spread(admission<inner_token> answer, time_point now, time_point last,
                            Random& random) const noexcept
    {
        if (!answer) {
            auto r = answer.refused();
            r.retry_at = later(r.retry_at, draw(up_to_, random));  // never stays never
            return r;
        }
        if constexpr (detail::has_start<inner_token>) {
            auto start = answer->start_at();
            if (start > now) start = later(start, draw(std::min(up_to_, between(start, last)), random));
            return token{*std::move(answer), start};
        } else {
            return *std::move(answer);
        }
    }

    duration up_to_;
};

template <class Gate>
jittered(Gate&&, duration) -> jittered<Gate>;

}  // namespace weir
