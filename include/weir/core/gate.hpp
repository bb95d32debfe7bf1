// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/call_options.hpp>
#include <weir/core/endpoint.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>

#include <concepts>
#include <string_view>

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
/// (leaky bucket); and `std::error_code fault() const noexcept`: the attempt ends with this error instead of being made
/// (chaos). Seen in: examples/14_write_a_gate.cpp
template <class G>
concept gate = requires(G& g, time_point now) { requires detail::is_admission<decltype(g.admit(now))>; };

/// A gate that looks at the call. In a pipeline it is asked by the first of these that it has, before `admit(now)`:
///
///   admission<token> admit(call_facts const& of, time_point now);
///   admission<token> admit(std::string_view key, time_point now);          // keyed_limiter, keyed_breakers of strings
///   admission<token> admit(request_priority p, time_point now);            // load_shedder
///
/// A call says its key and its priority in its `call_options`. One that does not has the default priority, and the
/// empty key, which it shares with all that have none.
template <class G>
concept facts_gate =
    requires(G& g, call_facts const& of, time_point now) { requires detail::is_admission<decltype(g.admit(of, now))>; };
template <class G>
concept keyed_gate = requires(G& g, std::string_view key, time_point now) {
    requires detail::is_admission<decltype(g.admit(key, now))>;
};
template <class G>
concept priority_gate =
    requires(G& g, request_priority p, time_point now) { requires detail::is_admission<decltype(g.admit(p, now))>; };
template <class G>
concept any_gate = gate<G> || facts_gate<G> || keyed_gate<G> || priority_gate<G>;

namespace detail {

/// A gate's answer, by whatever it is asked with.
template <any_gate Gate>
[[nodiscard]] auto some_answer(Gate& g)
{
    if constexpr (gate<Gate>)
        return g.admit(time_point{});
    else if constexpr (facts_gate<Gate>)
        return g.admit(call_facts{}, time_point{});
    else if constexpr (keyed_gate<Gate>)
        return g.admit(std::string_view{}, time_point{});
    else
        return g.admit(request_priority{}, time_point{});
}

}  // namespace detail

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
