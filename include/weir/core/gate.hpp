// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/endpoint.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>

#include <concepts>

namespace weir {

namespace detail {

template <class T>
inline constexpr bool is_admission = false;
template <class Token>
inline constexpr bool is_admission<admission<Token>> = true;

}  // namespace detail

/// Anything that admits or refuses a call: a limiter, a breaker, a gate of your own.
///
///   admission<token> admit(time_point now);   // from any thread; takes its share in one step, never check-then-act
///
/// A token may also have `time_point start_at() const noexcept`: admitted, but not to be sent before that instant
/// (leaky bucket). Seen in: examples/14_write_a_gate.cpp
template <class G>
concept gate = requires(G& g, time_point now) { requires detail::is_admission<decltype(g.admit(now))>; };

/// A gate that also chooses where to send. `avoid` is the endpoint that the previous attempt of this call used, or
/// null: pick another one if there is any. Its token, the lease, names the choice.
///
///   admission<lease> pick(time_point now, random_engine& random, endpoint const* avoid);
///   endpoint const&  lease::endpoint() const noexcept;
template <class B>
concept balancer = requires(B& b, time_point now, random_engine& random, endpoint const* avoid) {
    requires detail::is_admission<decltype(b.pick(now, random, avoid))>;
    // Only the lease's word must not throw; asked of the whole expression, pick itself would have to be noexcept.
    requires requires(typename decltype(b.pick(now, random, avoid))::token_type& lease) {
        {
            lease.endpoint()
        } noexcept -> std::same_as<endpoint const&>;
    };
};

}  // namespace weir
