// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/call_options.hpp>
#include <weir/core/gate.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/gate_wrapper.hpp>

#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir {

/// The peer asked for a pause or for fewer requests: a 429, a 503 with Retry-After, or the like.
struct throttled {
    [[nodiscard]] constexpr bool operator()(outcome const& o) const noexcept { return o.retry_after.has_value(); }
};

namespace detail {

/// A limiter with keys, asked in a pipeline: one key of it can be had as a gate of its own.
template <class L, class Of>
concept drains_one_of = !gate<L> && requires(L& l, Of const& of, time_point now) { l.of(of).drain(now); };
template <class L>
concept drains_by_facts = facts_gate<L> && drains_one_of<L, call_facts>;
template <class L>
concept drains_by_key = keyed_gate<L> && drains_one_of<L, std::string_view>;

struct no_part {};

/// What of a limiter is drained: of one with keys a handle of the key; else all of it.
template <class L>
[[nodiscard]] auto drained_part(L& l)
{
    if constexpr (drains_by_facts<L>)
        return l.of(call_facts{});
    else if constexpr (drains_by_key<L>)
        return l.of(std::string_view{});
    else
        return no_part{};
}

}  // namespace detail

/// A limiter that believes the service behind it. When that says it has had too much, whatever the limiter has on hand
/// is worth nothing: it is emptied, and permits come at its rate from then on.
///
///   weir::token_bucket bucket{{...}};
///   auto guarded = weir::pipeline(weir::drain_on{bucket}, ...);
///
/// Of a limiter with keys (keyed_limiter of text, keyed_by) the key that was asked for is emptied, and no other.
///
/// `drain(now)` of the limiter is called for each outcome of which `predicate(outcome const&)` is true, after the token
/// was settled and without locks. A predicate that throws says no. All else is the inner limiter's.
///
/// Threads: as the limiter; `predicate` is called by several at once. Move it only before first use.
/// Cost:    the limiter's. Never allocates.   Lifetimes: an inner limiter given by name outlives it; it outlives its
///          tokens.   Seen in: examples/41_polite.cpp, examples/44_one_pipeline_for_all.cpp
template <class Limiter, class Predicate = throttled>
class drain_on : public detail::gate_wrapper<Limiter> {
    using base = detail::gate_wrapper<Limiter>;
    using inner_limiter = typename base::inner_gate;
    static_assert(any_gate<inner_limiter>,
                  "weir::drain_on: this is no gate; a limiter whose keys are no text goes into a weir::keyed_by first");
    using inner_token = typename decltype(detail::some_answer(std::declval<inner_limiter&>()))::token_type;
    using part = decltype(detail::drained_part(std::declval<inner_limiter&>()));
    static constexpr bool by_facts = detail::drains_by_facts<inner_limiter>;
    static constexpr bool by_key = !by_facts && detail::drains_by_key<inner_limiter>;
    static_assert(
        by_facts || by_key || requires(inner_limiter& l, time_point now) { l.drain(now); },
        "weir::drain_on: the limiter has no drain(now), nor one for a key, of(key).drain(now)");
    static_assert(std::predicate<Predicate const&, outcome const&>,
                  "weir::drain_on: the predicate is called, const, with a weir::outcome const&, and gives a bool");

public:
    class token;

    explicit drain_on(Limiter&& limiter, Predicate predicate = {})
        : base(std::forward<Limiter>(limiter)), predicate_(std::move(predicate))
    {
    }
    drain_on(drain_on&&) = default;

    admission<token> admit(time_point now) noexcept
        requires gate<inner_limiter>
    {
        return with_drain(this->inner().admit(now), {});
    }
    admission<token> admit(call_facts const& of, time_point now) noexcept
        requires by_facts
    {
        auto one = this->inner().of(of);
        return with_drain(one.admit(now), one);
    }
    admission<token> admit(std::string_view key, time_point now) noexcept
        requires by_key
    {
        auto one = this->inner().of(key);
        return with_drain(one.admit(now), one);
    }

    admission<token> reserve(std::uint64_t n, duration max_wait) noexcept
        requires requires(inner_limiter& l) { l.reserve(n, max_wait); }
    {
        return with_drain(this->inner().reserve(n, max_wait), {});
    }
    admission<token> reserve(std::uint64_t n, duration max_wait, time_point now) noexcept
        requires requires(inner_limiter& l) { l.reserve(n, max_wait, now); }
    {
        return with_drain(this->inner().reserve(n, max_wait, now), {});
    }

private:
    admission<token> with_drain(admission<inner_token> answer, part const& of) noexcept
    {
        if (!answer) return answer.refused();
        return token{*std::move(answer), *this, of};
    }

    void recorded(outcome const& o, time_point now, [[maybe_unused]] part& of) noexcept
    {
        if (!says(o)) return;
        if constexpr (std::is_same_v<part, detail::no_part>)
            this->inner().drain(now);
        else
            of.drain(now);
    }
    [[nodiscard]] bool says(outcome const& o) const noexcept
    {
        if constexpr (std::is_nothrow_invocable_v<Predicate const&, outcome const&>) {
            return predicate_(o);
        } else {
            try {
                return predicate_(o);
            } catch (...) {
                return false;
            }
        }
    }

    [[no_unique_address]] Predicate predicate_;
};

/// The limiter's token, whose outcome may drain the limiter.
template <class Limiter, class Predicate>
class [[nodiscard]] drain_on<Limiter, Predicate>::token {
public:
    token(token&& other) noexcept
        : inner_(std::move(other.inner_)), from_(std::exchange(other.from_, nullptr)), part_(other.part_)
    {
    }
    token& operator=(token&& other) noexcept
    {
        inner_ = std::move(other.inner_);
        from_ = std::exchange(other.from_, nullptr);
        part_ = other.part_;
        return *this;
    }

    [[nodiscard]] time_point start_at() const noexcept
        requires detail::has_start<inner_token>
    {
        return inner_.start_at();
    }
    void record(outcome const& o, time_point now) noexcept
    {
        inner_.record(o, now);
        if (auto* const from = std::exchange(from_, nullptr)) from->recorded(o, now, part_);
    }
    bool cancel() noexcept
        requires requires(inner_token& t) { t.cancel(); }
    {
        from_ = nullptr;
        return inner_.cancel();
    }

private:
    friend drain_on;
    token(inner_token&& inner, drain_on& from, part const& of) noexcept
        : inner_(std::move(inner)), from_(&from), part_(of)
    {
    }

    inner_token inner_;
    drain_on* from_;
    [[no_unique_address]] part part_;
};

template <class Limiter>
drain_on(Limiter&&) -> drain_on<Limiter>;
template <class Limiter, class Predicate>
drain_on(Limiter&&, Predicate) -> drain_on<Limiter, Predicate>;

}  // namespace weir
