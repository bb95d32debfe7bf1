// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/time.hpp>
#include <weir/shared/detail/lease_lots.hpp>
#include <weir/shared/detail/lease_terms.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <optional>

namespace weir::detail {

/// What one process knows of one shared limit: the permits it holds, what it has asked, and when it may ask again. It
/// decides what to ask and what to make of an answer; it does no I/O and reads no clock.
///
/// One question at a time. Permits end at the time of asking + hold, so before that instant in the store's reckoning
/// too. A quarter left, the next lease is asked for. A refusal, or a grant of less than was asked for, is believed for
/// `pause` at least. What is asked for is the use of late times `hold`; and twice what was asked for last time while it
/// does not last, so that a process finds its pace in a few questions. Under overload there is one question per pause.
///
/// Threads: the lots from any; the rest under the owner's lock.
class lease_book {
public:
    struct question {
        std::uint64_t id = 0, want = 0, least = 0;
    };

    lease_lots lots;

    /// On the way of every permit taken: few are left, and it may be time to ask.
    [[nodiscard, gnu::always_inline]] bool runs_low(time_point now) const noexcept
    {
        auto const mark = mark_.load(std::memory_order_relaxed);
        return mark != 0 && now.time_since_epoch().count() >= quiet_until_.load(std::memory_order_relaxed) &&
               lots.left(now) <= mark;
    }

    /// Somebody was sent away for want of n permits.
    void missed(std::uint64_t n) noexcept { missed_ += n; }

    /// False: it is too early to ask, or a question is open.
    [[nodiscard]] bool may_ask(time_point now) const noexcept
    {
        return open_ == 0 && late_ < most_late && now >= refused_until_;
    }

    /// A question for `all` permits that are waited for, `first` of them first (0: nobody waits); or none now.
    [[nodiscard]] std::optional<question> ask(std::uint64_t all, std::uint64_t first, bool probe, time_point now,
                                              lease_terms const& terms) noexcept
    {
        if (!may_ask(now)) return std::nullopt;
        auto const held = lots.left(now);
        if (held >= terms.lease || (first != 0 && first <= held)) return std::nullopt;
        measure(now, terms.options.hold);
        auto const room = terms.lease - held;
        auto const least = std::min(first > held ? first - held : 1, room);
        auto want =
            std::max(all > held ? all - held : 1,
                     static_cast<std::uint64_t>(std::min(pace_ * static_cast<double>(terms.options.hold.count()),
                                                         static_cast<double>(lease_lots::most))));
        if (full_ && between(sent_, now) < terms.options.hold) want = std::max(want, 2 * want_);
        want_ = probe ? least : std::clamp(want, least, room);
        sent_ = now;
        open_ = ++ids_;
        renew_at_ = never;
        quiet_until_.store(never.time_since_epoch().count(), std::memory_order_relaxed);
        return question{open_, want_, least};
    }

    /// Whether that question is still waited for.
    [[nodiscard]] bool waits_for(std::uint64_t id) const noexcept { return open_ == id && id != 0; }
    [[nodiscard]] bool asking() const noexcept { return open_ != 0; }
    [[nodiscard]] time_point late_at(lease_terms const& terms) const noexcept
    {
        return open_ == 0 ? never : later(sent_, terms.options.acquire_timeout);
    }

    /// The answer to the open question. The permits are the caller's to hand out; `keep` takes the rest.
    void answered(permit_grant const& g, time_point now, lease_terms const& terms) noexcept
    {
        open_ = 0;
        full_ = g.permits >= want_;
        until_ = later(sent_, terms.options.hold);
        refused_until_ = time_point::min();
        if (!full_) refused_until_ = later(sent_, terms.options.pause);
        if (g.permits == 0) refused_until_ = std::max(refused_until_, later(now, g.retry_after));
        used_at_grant_ = used();
        granted_ += g.permits;
        mark_.store(static_cast<std::uint32_t>(g.permits / 4), std::memory_order_relaxed);
        if (g.permits != 0) renew_at_ = later(until_, -terms.options.hold / 4);
        quiet_until_.store(refused_until_.time_since_epoch().count(), std::memory_order_relaxed);
    }

    /// When the permits of the last answer end.
    [[nodiscard]] time_point until() const noexcept { return until_; }

    /// `n` permits of the last answer, which nobody waits for.
    [[nodiscard]] std::uint64_t keep(std::uint64_t n, std::uint64_t stamp, time_point now) noexcept
    {
        auto const lost = lots.add(n, until_, stamp, now);
        gone_ += lost;
        return lost;
    }
    /// Permits of an answer that went back, or out of the lots: they were not used.
    void unused(std::uint64_t n) noexcept { gone_ += n; }

    /// The open question failed, or its answer is late; then it will still come, with `came_late`.
    void failed(bool late, time_point now, lease_terms const& terms) noexcept
    {
        open_ = 0;
        full_ = false;
        late_ += late ? 1 : 0;
        refused_until_ = std::max(now, later(sent_, terms.options.pause));
        quiet_until_.store(refused_until_.time_since_epoch().count(), std::memory_order_relaxed);
    }
    void came_late() noexcept { late_ -= late_ > 0 ? 1 : 0; }

    /// Time to ask again, so that one who uses his permits steadily never finds them ended.
    [[nodiscard]] bool renewal_due(time_point now) noexcept
    {
        if (now < renew_at_) return false;
        renew_at_ = never;
        return used() != used_at_grant_;
    }
    [[nodiscard]] time_point renew_at() const noexcept { return renew_at_; }

    /// When what lot i holds goes back: some time before its end.
    [[nodiscard]] time_point return_at(std::size_t i, lease_terms const& terms) const noexcept
    {
        auto const end = lots.ends(i);
        return end == never ? never : later(end, -terms.options.hold / 8);
    }

    /// Earliest instant at which asking the store can help.
    [[nodiscard]] time_point refused_until() const noexcept { return refused_until_; }

    /// Nothing is known here that would be missed.
    [[nodiscard]] bool forgettable(time_point now) const noexcept
    {
        return open_ == 0 && late_ == 0 && lots.left(now) == 0 && refused_until_ <= now;
    }

private:
    static constexpr unsigned most_late = 4;  ///< answers to come; a store that never answers is asked no more

    /// Permits of all grants that were used, in the lots' own count.
    [[nodiscard]] std::uint64_t used() const noexcept { return granted_ - gone_ - lots.written(); }

    /// The use of late, in permits per nanosecond: an average that forgets within a lease.
    void measure(time_point now, duration hold) noexcept
    {
        auto const elapsed = static_cast<double>(std::max<duration::rep>(between(measured_at_, now).count(), 0));
        if (elapsed < 1e6) return;
        auto const wanted = used() + missed_;
        auto const old = std::exp(-2 * elapsed / static_cast<double>(hold.count()));
        pace_ = pace_ * old + static_cast<double>(static_cast<std::int64_t>(wanted - counted_)) / elapsed * (1 - old);
        pace_ = std::max(pace_, 0.0);  // permits put back were counted as used
        counted_ = wanted;
        measured_at_ = now;
    }

    // Looked at on the way of every permit.
    atomic<std::uint32_t> mark_{0};
    atomic<duration::rep> quiet_until_{0};

    time_point sent_ = time_point::min(), until_{}, refused_until_ = time_point::min(), renew_at_ = never;
    std::uint64_t ids_ = 0, open_ = 0, want_ = 0;
    unsigned late_ = 0;
    bool full_ = false;
    std::uint64_t granted_ = 0, gone_ = 0, missed_ = 0, used_at_grant_ = 0, counted_ = 0;
    time_point measured_at_{};
    double pace_ = 0;
};

}  // namespace weir::detail
