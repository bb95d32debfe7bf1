// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/gate_wrapper.hpp>

#include <concepts>
#include <cstdint>
#include <utility>

namespace weir {

/// The peer asked for a pause or for fewer requests: a 429, a 503 with Retry-After, or the like.
struct throttled {
    [[nodiscard]] constexpr bool operator()(outcome const& o) const noexcept { return o.retry_after.has_value(); }
};

/// A limiter that believes the service behind it. When that says it has had too much, whatever the limiter has on hand
/// is worth nothing: it is emptied, and permits come at its rate from then on.
///
///   weir::token_bucket bucket{{...}};
///   auto guarded = weir::pipeline(weir::drain_on{bucket}, ...);
///
/// `drain(now)` of the limiter is called for each outcome of which `predicate(outcome const&)` is true, after the token
/// was settled and without locks. A predicate that throws says no. All else is the inner limiter's.
///
/// Threads: as the limiter; `predicate` is called by several at once. Move it only before first use.
/// Cost:    the limiter's. Never allocates.   Lifetimes: an inner limiter given by name outlives it; it outlives its
///          tokens.
template <class Limiter, class Predicate = throttled>
class drain_on : public detail::gate_wrapper<Limiter> {
    using base = detail::gate_wrapper<Limiter>;
    using inner_limiter = typename base::inner_gate;
    using inner_token = detail::admit_token<inner_limiter>;
    static_assert(
        requires(inner_limiter& l, time_point now) { l.drain(now); }, "weir::drain_on: the limiter has no drain(now)");
    static_assert(std::predicate<Predicate const&, outcome const&>,
                  "weir::drain_on: the predicate is called, const, with a weir::outcome const&, and gives a bool");

public:
    class token;

    explicit drain_on(Limiter&& limiter, Predicate predicate = {})
        : base(std::forward<Limiter>(limiter)), predicate_(std::move(predicate))
    {
    }
    drain_on(drain_on&&) = default;

    admission<token> admit(time_point now) noexcept { return with_drain(this->inner().admit(now)); }

    admission<token> reserve(std::uint64_t n, duration max_wait) noexcept
        requires requires(inner_limiter& l) { l.reserve(n, max_wait); }
    {
        return with_drain(this->inner().reserve(n, max_wait));
    }
    admission<token> reserve(std::uint64_t n, duration max_wait, time_point now) noexcept
        requires requires(inner_limiter& l) { l.reserve(n, max_wait, now); }
    {
        return with_drain(this->inner().reserve(n, max_wait, now));
    }

private:
    admission<token> with_drain(admission<inner_token> answer) noexcept
    {
        if (!answer) return answer.refused();
        return token{*std::move(answer), *this};
    }

    void recorded(outcome const& o, time_point now) noexcept
    {
        if (says(o)) this->inner().drain(now);
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
    token(token&& other) noexcept : inner_(std::move(other.inner_)), from_(std::exchange(other.from_, nullptr)) {}
    token& operator=(token&& other) noexcept
    {
        inner_ = std::move(other.inner_);
        from_ = std::exchange(other.from_, nullptr);
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
        if (auto* const from = std::exchange(from_, nullptr)) from->recorded(o, now);
    }
    bool cancel() noexcept
        requires requires(inner_token& t) { t.cancel(); }
    {
        from_ = nullptr;
        return inner_.cancel();
    }

private:
    friend drain_on;
    token(inner_token&& inner, drain_on& from) noexcept : inner_(std::move(inner)), from_(&from) {}

    inner_token inner_;
    drain_on* from_;
};

template <class Limiter>
drain_on(Limiter&&) -> drain_on<Limiter>;
template <class Limiter, class Predicate>
drain_on(Limiter&&, Predicate) -> drain_on<Limiter, Predicate>;

}  // namespace weir
