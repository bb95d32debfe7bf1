// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/stages.hpp>
#include <weir/core/random.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir::detail {

/// Calls `f(std::integral_constant<std::size_t, I>)` for each stage of a pipeline, outermost first.
template <class Pipeline, class F>
constexpr void each_stage(F&& f)
{
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (f(std::integral_constant<std::size_t, I>{}), ...);
    }(std::make_index_sequence<Pipeline::size>{});
}

template <class Stages>
inline constexpr std::array<role, 0> roles_of{};
template <class... Stages>
inline constexpr std::array<role, sizeof...(Stages)> roles_of<type_list<Stages...>>{role_of<Stages>()...};

/// The call that asks: what it said of itself, null for nothing, and its deadline.
struct asking_call {
    call_options const* said = nullptr;
    time_point deadline = never;

    [[nodiscard]] std::string_view key() const noexcept { return said ? said->key : std::string_view{}; }
    [[nodiscard]] request_priority priority() const noexcept
    {
        return said && said->priority ? *said->priority : request_priority{};
    }
};

/// A gate's answer to a call, asked by as much as the gate wants to know.
template <class Gate>
[[nodiscard]] auto ask(Gate& g, asking_call const& of, time_point now)
{
    if constexpr (requires { g.admit(of, now); })  // gates in a row
        return g.admit(of, now);
    else if constexpr (facts_gate<Gate>)
        return g.admit(call_facts{of.deadline, of.key(), of.priority()}, now);
    else if constexpr (keyed_gate<Gate>)
        return g.admit(of.key(), now);
    else if constexpr (priority_gate<Gate>)
        return g.admit(of.priority(), now);
    else
        return g.admit(now);
}

/// Which endpoints a balancer shall not pick: the last one, if there is another.
struct avoid_last {
    static constexpr unsigned draws = 1;
    endpoint const* last = nullptr;
    [[nodiscard]] endpoint const* hint(unsigned) const noexcept { return last; }
    [[nodiscard]] static constexpr bool forbids(endpoint const&) noexcept { return false; }
};

/// The same for the copy of a request: none of those where another copy is in flight. A balancer takes one hint, so a
/// forbidden pick is given back and asked for again, with another hint.
template <std::size_t Most>
struct avoid_all {
    static constexpr unsigned draws = 8;
    std::array<endpoint const*, Most> taken{};
    std::size_t count = 0;

    void add(endpoint const* e) noexcept
    {
        if (e) taken[count++] = e;
    }
    [[nodiscard]] endpoint const* hint(unsigned draw) const noexcept
    {
        return count == 0 ? nullptr : taken[draw % count];
    }
    [[nodiscard]] bool forbids(endpoint const& e) const noexcept
    {
        return std::any_of(taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(count),
                           [&](auto const* t) { return t->id == e.id; });
    }
};

/// Room for the tokens of gates [First, Last) of a pipeline: what a call, or one of its attempts, holds.
template <class Pipeline, std::size_t First, std::size_t Last>
class held_tokens {
public:
    static constexpr auto roles = roles_of<typename Pipeline::stages>;
    static constexpr std::size_t balancer = find(roles, role::balancer);

    /// Asks the gates in order, until one refuses; `refusal` then says why. `start_at` moves to when the
    /// latest token may be used. What was taken before a refusal stays held, to be settled.
    template <class Avoid>
    [[nodiscard]] bool admit(Pipeline& p, [[maybe_unused]] asking_call const& of, time_point now, random_engine* random,
                             Avoid const& avoid, time_point& start_at, rejection& refusal)
    {
        auto const one = [&](auto i) {
            if constexpr (is_gate(i)) {
                auto& place = std::get<i>(tokens_);
                auto const draw_one = [&]([[maybe_unused]] unsigned draw) {
                    return &place.emplace(in_place_result{[&] {
                        if constexpr (i == balancer)
                            return p.template stage<i>().pick(now, *random, avoid.hint(draw));
                        else
                            return detail::ask(p.template stage<i>(), of, now);
                    }});
                };
                auto* answer = draw_one(0);
                if constexpr (i == balancer && Avoid::draws > 1) {
                    for (unsigned draw = 1; *answer && avoid.forbids((*answer)->endpoint()); ++draw) {
                        if (draw < Avoid::draws)
                            answer = draw_one(draw);
                        else
                            answer = &place.emplace(rejection{errc::no_endpoint, now, "balancer"});
                    }
                }
                if (!*answer) {
                    refusal = answer->refused();
                    place.reset();
                    return false;
                }
                if constexpr (requires { (*answer)->start_at(); }) start_at = std::max(start_at, (*answer)->start_at());
            }
            return true;
        };
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return (one(std::integral_constant<std::size_t, First + I>{}) && ...);
        }(std::make_index_sequence<Last - First>{});
    }

    /// Settles them in reverse order with `o`; null: not sent, and the tokens give back. A lease stays,
    /// settled, for the next attempt is to avoid its endpoint; everything else is over.
    void settle(outcome const* o, time_point now) noexcept
    {
        auto const one = [&](auto i) {
            if constexpr (is_gate(i)) {
                auto& place = std::get<i>(tokens_);
                if (!place) return;
                if (o) (*place)->record(*o, now);
                if (!o || i != balancer) place.reset();
            }
        };
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (one(std::integral_constant<std::size_t, Last - 1 - I>{}), ...);
        }(std::make_index_sequence<Last - First>{});
    }

    /// Whether a token of these can say that the attempt is to fail.
    [[nodiscard]] static constexpr bool may_fault() noexcept
    {
        return []<std::size_t... I>(std::index_sequence<I...>) {
            return (faults<First + I>() || ...);
        }(std::make_index_sequence<Last - First>{});
    }

    /// The error with which the attempt is to end instead of being made; none: it is to be made.
    [[nodiscard]] std::error_code fault() noexcept
    {
        std::error_code found;
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (see_fault<First + I>(found), ...);
        }(std::make_index_sequence<Last - First>{});
        return found;
    }

    /// Where the lease says to send; null without a balancer.
    [[nodiscard]] endpoint const* target() const noexcept
    {
        if constexpr (!is_gate(balancer))
            return nullptr;
        else if constexpr (requires { (*std::get<balancer>(tokens_))->target_or_null(); })  // there may be none
            return (*std::get<balancer>(tokens_))->target_or_null();
        else
            return &(*std::get<balancer>(tokens_))->endpoint();
    }

    /// The settled lease of the attempt before.
    [[nodiscard]] auto take_lease() noexcept
    {
        if constexpr (is_gate(balancer)) {
            auto lease = std::move(std::get<balancer>(tokens_));
            std::get<balancer>(tokens_).reset();
            return lease;
        } else {
            return std::tuple<>{};
        }
    }

private:
    [[nodiscard]] static constexpr bool is_gate(std::size_t i)
    {
        return i >= First && i < Last && (roles[i] == role::gate || roles[i] == role::balancer);
    }

    template <std::size_t I>
    [[nodiscard]] static constexpr bool faults()
    {
        if constexpr (is_gate(I))
            return requires(std::tuple_element_t<I, tokens>& place) { (*place)->fault(); };
        else
            return false;
    }
    template <std::size_t I>
    void see_fault([[maybe_unused]] std::error_code& found) noexcept
    {
        if constexpr (faults<I>())
            if (auto& place = std::get<I>(tokens_); place && !found) found = (*place)->fault();
    }

    /// Becomes what `make` returns where it is needed: the gate makes its token in the room it will be held in.
    template <class Make>
    struct in_place_result {
        Make make;
        operator auto() { return make(); }
    };
    template <class F>
    in_place_result(F) -> in_place_result<F>;  // Clang 16 finds none for an aggregate

    template <std::size_t I>
    static auto room_for()
    {
        using stage = std::remove_reference_t<decltype(std::declval<Pipeline&>().template stage<I>())>;
        if constexpr (!is_gate(I))
            return std::tuple<>{};
        else if constexpr (I == balancer)
            return std::optional<decltype(std::declval<stage&>().pick({}, std::declval<random_engine&>(), nullptr))>{};
        else
            return std::optional<decltype(detail::ask(std::declval<stage&>(), asking_call{}, time_point{}))>{};
    }

    template <std::size_t... I>
    static std::tuple<decltype(room_for<I>())...> layout(std::index_sequence<I...>);

    using tokens = decltype(layout(std::make_index_sequence<Pipeline::size>{}));
    tokens tokens_;
};

}  // namespace weir::detail
