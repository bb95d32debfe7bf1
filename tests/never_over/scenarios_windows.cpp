// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/scenario.hpp"

#include <weir/limit/fixed_window.hpp>
#include <weir/limit/sliding_window_limiter.hpp>
#include <weir/limit/sliding_window_log.hpp>

namespace never_over {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t t0 = 1'000'000'000;  // where a window of 100 ns begins
constexpr std::uint64_t limit = 2;

struct standing {
    [[nodiscard]] static weir::time_point now() noexcept { return at(t0); }
};

template <class Limiter>
struct window_base {
    Limiter limiter{{.limit = limit, .window = 100ns}};
    std::vector<admitted> events;

    void take(std::int64_t now)
    {
        if (limiter.try_acquire(1, at(now))) events.push_back({now, now, 1});
    }
    void reserve(std::int64_t now, bool cancel)
    {
        auto a = limiter.reserve(1, 150ns, at(now));
        if (!a) return;
        auto const start = a->start_at().time_since_epoch().count();
        if (cancel && a->cancel()) return;
        a->record(weir::outcome::success(), at(now));
        events.push_back({start, start, 1});
    }
    [[nodiscard]] std::string aligned() const
    {
        for (auto const& x : events) {
            std::uint64_t n = 0;
            for (auto const& y : events) n += x.from / 100 == y.from / 100 ? 1 : 0;
            if (n > limit) return std::to_string(n) + " in a window of the clock";
        }
        return {};
    }
};

template <class Limiter>
struct in_windows : window_base<Limiter> {
    std::string end() { return this->aligned(); }
};
template <class Limiter>
struct in_spans : window_base<Limiter> {
    std::string end() { return fullest_window(this->events, 100) > limit ? "too many in a span" : ""; }
};

/// The edge of a window, passed by one and not yet by the others.
template <class Base>
struct edge : Base {
    void thread(unsigned i)
    {
        std::int64_t const times[][2] = {{t0, t0 + 99}, {t0 + 99, t0 + 100}, {t0 + 150, t0 + 50}};
        for (auto const now : times[i]) this->take(now);
    }
};

template <class Base>
struct cancels : Base {
    void thread(unsigned i)
    {
        if (i == 0) {
            this->reserve(t0 + 10, true), this->reserve(t0 + 20, true);
        } else {
            this->take(t0 + 10), this->take(t0 + 20 * i);
        }
    }
};

/// The limit goes up and down again: what was spent stays spent.
template <class Base>
struct changes : Base {
    void thread(unsigned i)
    {
        if (i == 0) {
            this->limiter.reconfigure({.limit = 1, .window = 100ns}, at(t0));
            this->limiter.reconfigure({.limit = limit, .window = 100ns}, at(t0));
        } else {
            this->take(t0), this->take(t0);
        }
    }
};

/// Whoever changes the limit was held up for a thousand windows, and those who ask are further on all the time.
template <class Base>
struct changed_late : Base {
    static constexpr std::int64_t later = t0 + 100'000, still_later = later + 2'000;

    changed_late() { this->take(later); }
    void thread(unsigned i)
    {
        if (i == 0)
            this->limiter.reconfigure({.limit = limit, .window = 100ns}, at(t0));
        else
            this->take(still_later), this->take(still_later);
    }
    std::string end()
    {
        this->take(still_later);
        return Base::end();
    }
};

template <class Base>
struct drains : Base {
    std::size_t before = 0;
    void thread(unsigned i)
    {
        if (i == 0) {
            this->limiter.drain(at(t0));
            before = this->events.size();
        } else {
            this->take(t0), this->take(t0 + 1);
        }
    }
    std::string end()
    {
        // Who had decided, and not said so yet, may still come: one a thread.
        if (this->events.size() > before + 2) return "admitted after it was drained";
        return Base::end();
    }
};

using fixed = in_windows<weir::basic_fixed_window<standing>>;
using sliding = in_windows<weir::basic_sliding_window_limiter<standing>>;

using log = in_spans<weir::basic_sliding_window_log<standing>>;

scenarios const of_windows{[](std::vector<scenario>& all) {
    all.push_back(make_scenario<edge<fixed>>("fixed_window: the edge", 3, 2));
    all.push_back(make_scenario<cancels<fixed>>("fixed_window: cancels", 3, 2));
    all.push_back(make_scenario<changes<fixed>>("fixed_window: the limit changes", 3, 2));
    all.push_back(make_scenario<drains<fixed>>("fixed_window: drained", 3, 2));
    all.push_back(make_scenario<edge<sliding>>("sliding_window_limiter: the edge", 3, 2));
    all.push_back(make_scenario<cancels<sliding>>("sliding_window_limiter: cancels", 3, 2));
    all.push_back(make_scenario<changes<sliding>>("sliding_window_limiter: the limit changes", 3, 2));
    all.push_back(make_scenario<changed_late<sliding>>("sliding_window_limiter: the limit changes late", 2, 2));
    all.push_back(make_scenario<edge<log>>("sliding_window_log: the edge", 3, 2));
    all.push_back(make_scenario<cancels<log>>("sliding_window_log: cancels", 3, 2));
    all.push_back(make_scenario<changes<log>>("sliding_window_log: the limit changes", 3, 2));
    all.push_back(make_scenario<drains<log>>("sliding_window_log: drained", 3, 2));
}};

}  // namespace
}  // namespace never_over
