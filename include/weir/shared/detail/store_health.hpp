// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <cstdint>
#include <mutex>

namespace weir::detail {

/// What a limiter thinks of its store. One answer that fails or is late, and decisions are the fallback's; after
/// `patience` of them in a row the store counts as gone, and is asked once per `probe_every`, half of that more or
/// less, so that many processes do not come at once. One good answer ends it.
/// Threads: any.   Cost: a short lock, off the way of a decision from a lease.
class store_health {
public:
    enum class standing : std::uint8_t { well, doubtful, gone };

    struct view {
        standing what = standing::well;
        std::uint64_t outage = 0;  ///< the number of the outage, from 1; 0: none so far
        time_point since{};        ///< when the last one began
    };

    store_health(unsigned patience, duration probe_every, std::uint64_t seed)
        : patience_(patience), probe_every_(probe_every), random_(seed)
    {
    }

    [[nodiscard]] view look() const noexcept
    {
        std::scoped_lock const lock(mutex_);
        return view_;
    }

    /// Whether somebody may ask now; when the store is gone, that is true once per probe.
    [[nodiscard]] bool may_ask(time_point now) noexcept
    {
        std::scoped_lock const lock(mutex_);
        if (view_.what != standing::gone) return true;
        if (now < probe_at_) return false;
        set_probe(now);
        return true;
    }

    void good(time_point now) noexcept
    {
        std::scoped_lock const lock(mutex_);
        failures_ = 0;
        if (view_.what == standing::well) return;
        view_.what = standing::well;
        away_ += std::max(between(view_.since, now), duration::zero());
    }

    void bad(time_point now) noexcept
    {
        std::scoped_lock const lock(mutex_);
        if (view_.what == standing::well) view_ = {standing::doubtful, view_.outage + 1, now};
        if (view_.what == standing::gone || ++failures_ < patience_) return;
        view_.what = standing::gone;
        set_probe(now);
    }

    /// An answer to a question long given up: it is worth asking now.
    void sign_of_life(time_point now) noexcept
    {
        std::scoped_lock const lock(mutex_);
        probe_at_ = std::min(probe_at_, now);
    }

    void set(unsigned patience, duration probe_every) noexcept
    {
        std::scoped_lock const lock(mutex_);
        patience_ = patience;
        probe_every_ = probe_every;
    }

    [[nodiscard]] time_point probe_at() const noexcept
    {
        std::scoped_lock const lock(mutex_);
        return probe_at_;
    }

    /// Time on the fallback, all in all.
    [[nodiscard]] duration away(time_point now) const noexcept
    {
        std::scoped_lock const lock(mutex_);
        return view_.what == standing::well ? away_ : away_ + std::max(between(view_.since, now), duration::zero());
    }

private:
    void set_probe(time_point now) noexcept
    {
        auto const ns = static_cast<double>(probe_every_.count()) * (0.5 + uniform_unit(random_));
        probe_at_ = later(now, duration(static_cast<duration::rep>(ns)));
    }

    mutable weir::mutex mutex_;
    view view_;
    unsigned failures_ = 0;
    unsigned patience_;
    duration probe_every_;
    random_engine random_;
    time_point probe_at_{};
    duration away_{};
};

}  // namespace weir::detail
