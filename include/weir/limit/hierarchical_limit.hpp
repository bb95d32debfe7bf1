// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/gate.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir {

namespace detail {

/// Can say without taking anything whether it would refuse now.
template <class L>
concept looks_ahead = requires(L const& l, std::uint64_t n, time_point now) {
    {
        l.retry_at(n, now)
    } -> std::same_as<time_point>;
    {
        l.name()
    } -> std::convertible_to<std::string_view>;
};

/// Takes more than one permit at a time.
template <class L>
concept takes_many = requires(L& l, std::uint64_t n, time_point now) {
    requires std::same_as<decltype(l.reserve(n, duration::zero(), now)), decltype(l.admit(now))>;
};

/// A shaper: its `admit` hands out starts in the future.
template <class L>
concept paces = requires(L const& l) { l.max_wait(); };

template <class L>
concept drains = requires(L& l, time_point now) { l.drain(now); };

template <class L>
using level_token = typename decltype(std::declval<L&>().admit(time_point{}))::token_type;

}  // namespace detail

template <clock Clock, class... Levels>
class basic_hierarchical_limit;

/// What the levels of a hierarchical_limit gave, all of them. Settled together, in reverse.
/// Threads: one at a time. Lifetimes: the levels outlive it.
template <class... Levels>
class [[nodiscard]] hierarchical_token {
public:
    hierarchical_token(hierarchical_token&& other) noexcept
        : held_(std::exchange(other.held_, false)), tokens_(std::move(other.tokens_)), start_at_(other.start_at_)
    {
    }
    hierarchical_token& operator=(hierarchical_token&& other) noexcept
    {
        if (this == &other) return *this;
        cancel();
        held_ = std::exchange(other.held_, false);
        tokens_ = std::move(other.tokens_);
        start_at_ = other.start_at_;
        return *this;
    }
    ~hierarchical_token() { cancel(); }

    /// Not to be sent before this instant: the latest of the levels', which is the time of asking unless one of them
    /// delays (chaos, a gate of your own).
    [[nodiscard]] time_point start_at() const noexcept { return start_at_; }

    void record(outcome const& o, time_point now) noexcept
    {
        in_reverse([&](auto& t) { t.record(o, now); });
    }

    /// It will not be sent. True when every level has its share back; a level where others were admitted behind may
    /// keep it (see rate_permit).
    bool cancel() noexcept
    {
        bool all = true;
        in_reverse([&](auto& t) {
            if constexpr (requires {
                              {
                                  t.cancel()
                              } -> std::same_as<bool>;
                          })
                all = t.cancel() && all;
            else [[maybe_unused]]
                auto const gone = std::move(t);
        });
        return all;
    }

private:
    using tokens = std::tuple<detail::level_token<std::remove_reference_t<Levels>>...>;

    template <clock, class...>
    friend class basic_hierarchical_limit;
    template <class... Held>
    explicit hierarchical_token(time_point now, Held&... held) noexcept
        : tokens_(std::move(held)...),
          start_at_(std::apply(
              [&](auto const&... t) {
                  return std::max({now, start_of(t, now)...});
              },
              tokens_))
    {
    }

    template <class Token>
    static time_point start_of(Token const& t, time_point now) noexcept
    {
        if constexpr (requires { t.start_at(); })
            return t.start_at();
        else
            return now;
    }

    template <class Settle>
    void in_reverse(Settle settle) noexcept
    {
        if (!std::exchange(held_, false)) return;
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (settle(std::get<sizeof...(I) - 1 - I>(tokens_)), ...);
        }(std::index_sequence_for<Levels...>{});
    }

    bool held_ = true;
    tokens tokens_;
    time_point start_at_;
};

/// Several limits that all have to admit a call, or none is charged: tenant <= plan <= the whole service.
///
///   weir::hierarchical_limit limits(per_tenant.of(tenant), plan, global);
///   auto admitted = limits.admit(now);
///
/// Any mix of gates: token_bucket, keyed_limiter::of(key), concurrency_limit, another hierarchical_limit. Lvalues are
/// shared by reference and must outlive it, rvalues move in; made for one call, it costs nothing. It is a gate itself.
///
/// First all levels that can tell are asked whether they would refuse; then nobody is charged, and overload costs loads
/// only. Else each takes its share in the order given, and when one refuses after all, because another caller came in
/// between or it cannot tell beforehand, the ones before it get theirs back. So name the level with the most traffic
/// last: nothing is taken from it that has to go back. Each level admits what it promises and never more.
///
/// What a late refusal costs: until the shares are back, others may be refused for them; and a rate limiter that has
/// admitted somebody behind keeps the permit, as giving it back could mint one. That is at most one call's share for
/// each refusal in a race, on the side of admitting less. First come, first served is not promised.
///
/// Everybody starts at once or is refused: there is no reserve, and a shaper among the levels (leaky_bucket, whatever
/// has `max_wait()`) is a meter, for a permit that one level gives for an instant would be used at the later one of
/// another, and be one too many there. To pace as well, put the leaky_bucket beside it in the pipeline, outside.
///
/// Without a time, it asks weir::tsc_clock. Levels with a clock of their own want the same one here:
/// `weir::basic_hierarchical_limit limits(clock, per_tenant, plan, global)`.
///
/// Refuses: with the code and name of the level that stays closed longest; retry_at is the latest of the refusals, as
///          far as the levels can tell, and `never` if one of them never will.
/// Threads: as its levels.   Cost: that of its levels, and a load for each.   Seen in:
/// examples/19_hierarchical_limits.cpp
template <clock Clock, class... Levels>
class basic_hierarchical_limit {
    static_assert(sizeof...(Levels) > 0, "hierarchical_limit: at least one level");
    static_assert((gate<std::remove_reference_t<Levels>> && ...), "every level is a gate; core/gate.hpp");

public:
    using token = hierarchical_token<Levels...>;

    explicit basic_hierarchical_limit(Clock clock, Levels&&... levels)
        : levels_(std::forward<Levels>(levels)...), clock_(std::move(clock))
    {
    }

    /// One permit, or slot, of each level.
    admission<token> admit(time_point now) { return take(1, now); }

    /// n permits of each level, or none of any.
    admission<token> admit(std::uint64_t n, time_point now)
        requires(detail::takes_many<std::remove_reference_t<Levels>> && ...)
    {
        return take(n, now);
    }

    /// The same for good: to be able to give them back, use admit.
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now)
        requires(detail::takes_many<std::remove_reference_t<Levels>> && ...)
    {
        auto taken = take(n, now);
        if (!taken) return false;
        taken->record(outcome::success(), now);
        return true;
    }

    [[nodiscard]] bool try_acquire(std::uint64_t n = 1)
        requires(detail::takes_many<std::remove_reference_t<Levels>> && ...)
    {
        return try_acquire(n, clock_.now());
    }

    /// Whatever the levels have on hand is worth nothing from now on; those that count slots have none to lose.
    void drain(time_point now)
        requires(detail::drains<std::remove_reference_t<Levels>> || ...)
    {
        std::apply([now](auto&... level) { (drain_level(level, now), ...); }, levels_);
    }
    void drain()
        requires(detail::drains<std::remove_reference_t<Levels>> || ...)
    {
        drain(clock_.now());
    }

    /// What admit would answer now if it refuses, as far as the levels can tell. Takes nothing.
    [[nodiscard]] std::optional<rejection> look(std::uint64_t n, time_point now) const
    {
        std::optional<rejection> worst;
        std::apply([&](auto const&... level) { (look_at(level, n, now, worst), ...); }, levels_);
        return worst;
    }
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const
    {
        auto const refused = look(n, now);
        return refused ? refused->retry_at : now;
    }

private:
    template <class Level>
    static void drain_level(Level& level, time_point now)
    {
        if constexpr (detail::drains<Level>) level.drain(now);
    }

    static void keep_latest(std::optional<rejection>& worst, rejection const& r) noexcept
    {
        if (!worst || r.retry_at > worst->retry_at) worst = r;
    }

    template <class Level>
    static void look_at(Level const& level, std::uint64_t n, time_point now, std::optional<rejection>& worst)
    {
        if constexpr (requires {
                          {
                              level.look(n, now)
                          } -> std::same_as<std::optional<rejection>>;
                      }) {
            if (auto const r = level.look(n, now)) keep_latest(worst, *r);
        } else if constexpr (detail::looks_ahead<Level>) {
            auto const at = level.retry_at(n, now);
            if (at > now)
                keep_latest(worst, {at == never ? errc::exceeds_burst : errc::rate_limited, at, level.name()});
        }
    }

    [[nodiscard]] admission<token> take(std::uint64_t n, time_point now)
    {
        auto refused = look(n, now);
        if (refused) return *refused;
        auto taken = climb(n, now);
        if (taken) return taken;
        refused = taken.refused();
        if (auto const others = look(n, now)) keep_latest(refused, *others);
        return *refused;
    }

    /// Asks the next level, holding what those before it gave: where one refuses, they go back in reverse.
    template <class... Held>
    [[nodiscard]] admission<token> climb(std::uint64_t n, time_point now, Held&... held)
    {
        if constexpr (sizeof...(Held) == sizeof...(Levels)) {
            return token{now, held...};
        } else {
            auto answer = ask(std::get<sizeof...(Held)>(levels_), n, now);
            if (!answer) return answer.refused();
            return climb(n, now, held..., *answer);
        }
    }
    template <class Level>
    [[nodiscard]] static auto ask(Level& level, [[maybe_unused]] std::uint64_t n, time_point now)
    {
        if constexpr (detail::takes_many<Level>)
            if (n != 1 || detail::paces<Level>) return level.reserve(n, duration::zero(), now);
        return level.admit(now);
    }

    std::tuple<Levels...> levels_;
    [[no_unique_address]] Clock clock_;
};

template <clock Clock, class... Levels>
basic_hierarchical_limit(Clock, Levels&&...) -> basic_hierarchical_limit<Clock, Levels...>;

/// The hierarchical limit on the processor's clock.
template <class... Levels>
class hierarchical_limit : public basic_hierarchical_limit<tsc_clock, Levels...> {
public:
    explicit hierarchical_limit(Levels&&... levels)
        : basic_hierarchical_limit<tsc_clock, Levels...>(tsc_clock{}, std::forward<Levels>(levels)...)
    {
    }
};

template <class... Levels>
hierarchical_limit(Levels&&...) -> hierarchical_limit<Levels...>;

}  // namespace weir
