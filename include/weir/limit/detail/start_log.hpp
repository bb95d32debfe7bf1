// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <type_traits>

namespace weir::detail {

/// The starts of the last permits, in a ring. Permit i may start when permit i - limit is a window old; it is written
/// down as that, or as the start before it if that is later, so the ring is in order. Hence no span shorter than a
/// window holds more than limit starts, whatever the order in which threads come with readings of their clocks: of
/// limit + 1 permits the last was let in against the start of the first, or a later one.
///
/// A mutex guards it. Who is refused at once reads past the mutex: all numbers are atomic, and `version` is odd while
/// they change (a sequence lock; the loads acquire, so that no fence is needed).
class start_log {
public:
    struct answer {
        bool admitted = false;
        errc why = errc::rate_limited;
        time_point at = never;                ///< admitted: when to start. Refused: when to ask again
        std::uint64_t before = 0, after = 0;  ///< permits so far, around our admission
        std::uint64_t epoch = 0;
        duration window{};
    };

    start_log(std::uint64_t limit, duration window, std::uint64_t capacity)
        : capacity_(std::max<std::uint64_t>(capacity, 1)),
          starts_(std::make_unique<atomic<std::int64_t>[]>(capacity_)),
          limit_(limit),
          window_(window.count())
    {
        for (std::uint64_t i = 0; i < capacity_; ++i) starts_[i].store(long_ago, std::memory_order_relaxed);
    }
    start_log(start_log&& other) noexcept
        : capacity_(other.capacity_),
          starts_(std::move(other.starts_)),
          limit_(other.limit_.load()),
          window_(other.window_.load()),
          count_(other.count_.load())
    {
    }

    [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] std::uint64_t limit() const noexcept { return limit_.load(std::memory_order_relaxed); }
    [[nodiscard]] duration window() const noexcept { return duration{window_.load(std::memory_order_relaxed)}; }

    [[nodiscard]] bool take(std::uint64_t n, time_point now) noexcept
    {
        return reserve(n, now, duration::zero()).admitted;
    }
    [[nodiscard]] answer reserve(std::uint64_t n, time_point now, duration max_wait) noexcept
    {
        if (auto a = look(n, now, max_wait); !a.admitted || n == 0) return a;
        std::scoped_lock const lock{mutex_};
        auto a = weigh(n, now, max_wait);
        if (!a.admitted) return a;
        change([&] { write(n, a.at); });
        return a;
    }

    /// What `reserve` would answer now. Takes nothing.
    [[nodiscard]] answer look(std::uint64_t n, time_point now, duration max_wait) const noexcept
    {
        if (n == 0) return {true, {}, now};
        return consistent([&] { return weigh(n, now, max_wait); });
    }

    [[nodiscard]] std::uint64_t available(time_point now) const noexcept
    {
        return consistent([&] { return free(now); });
    }

    void drain(time_point now) noexcept
    {
        std::scoped_lock const lock{mutex_};
        auto const n = free(now);
        change([&] {
            write(n, now);
            epoch_.store(epoch_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        });
    }

    void reconfigure(std::uint64_t limit, duration window) noexcept
    {
        std::scoped_lock const lock{mutex_};
        change([&] {
            limit_.store(limit, std::memory_order_release);
            window_.store(window.count(), std::memory_order_release);
            epoch_.store(epoch_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        });
    }

    /// Takes the last permits out again. What their places held before is gone, but it was a window older than they,
    /// or more, and no later than what the next place holds: that is put there.
    bool undo(answer const& a) noexcept
    {
        if (a.before == a.after) return false;
        std::scoped_lock const lock{mutex_};
        if (count_.load(std::memory_order_relaxed) != a.after || epoch_ != a.epoch) return false;
        change([&] {
            auto old = before(slot(a.before).load(std::memory_order_relaxed), a.window.count());
            if (a.after - a.before != capacity_) old = std::min(old, slot(a.after).load(std::memory_order_relaxed));
            for (std::uint64_t i = a.before; i != a.after; ++i) slot(i).store(old, std::memory_order_release);
            count_.store(a.before, std::memory_order_release);
        });
        return true;
    }

private:
    static constexpr std::int64_t long_ago = std::numeric_limits<std::int64_t>::min();

    static std::int64_t before(std::int64_t t, std::int64_t window) noexcept
    {
        return t < long_ago + window ? long_ago : t - window;
    }
    [[nodiscard]] atomic<std::int64_t>& slot(std::uint64_t i) const noexcept { return starts_[i % capacity_]; }
    [[nodiscard]] std::int64_t newest() const noexcept
    {
        auto const count = count_.load(std::memory_order_relaxed);
        return count == 0 ? long_ago : slot(count - 1).load(std::memory_order_relaxed);
    }
    /// From when on the next permit but `i` may start.
    [[nodiscard]] time_point free_at(std::uint64_t count, std::uint64_t limit, std::uint64_t i) const noexcept
    {
        if (count + i < limit) return time_point::min();
        auto const start = slot(count + i - limit).load(std::memory_order_acquire);
        if (start == long_ago) return time_point::min();
        return later(time_point{duration{start}}, duration{window_.load(std::memory_order_acquire)});
    }

    /// Precondition: inside `consistent`, or under the mutex.
    [[nodiscard]] answer weigh(std::uint64_t n, time_point now, duration max_wait) const noexcept
    {
        auto const limit = limit_.load(std::memory_order_acquire);
        if (n > limit) return {false, errc::exceeds_burst, never};
        auto const count = count_.load(std::memory_order_acquire);
        auto const at = std::max(now, free_at(count, limit, n - 1));
        auto const wait = std::max(max_wait, duration::zero());
        if (at == never) return {false, errc::rate_limited, never};
        if (between(now, at) > wait) return {false, errc::rate_limited, later(at, -wait)};
        return {true, {}, at, count, count + n, epoch_, duration{window_.load(std::memory_order_acquire)}};
    }

    /// Precondition: as above.
    [[nodiscard]] std::uint64_t free(time_point now) const noexcept
    {
        auto const limit = limit_.load(std::memory_order_acquire);
        auto const count = count_.load(std::memory_order_acquire);
        std::uint64_t some = 0;
        for (auto none = limit; some != none;) {  // the starts are in order, so the free ones come first
            auto const middle = some + (none - some) / 2;
            (free_at(count, limit, middle) <= now ? some = middle + 1 : none = middle);
        }
        return some;
    }

    /// What `read` says of numbers that belong together.
    template <class Read>
    std::invoke_result_t<Read&> consistent(Read read) const noexcept
    {
        auto const version = version_.load(std::memory_order_acquire);
        auto const said = read();
        if (version % 2 == 0 && version_.load(std::memory_order_acquire) == version) return said;
        std::scoped_lock const lock{mutex_};
        return read();
    }

    /// Precondition: inside `change`.
    void write(std::uint64_t n, time_point at) noexcept
    {
        auto const count = count_.load(std::memory_order_relaxed);
        auto const start = std::max({at.time_since_epoch().count(), newest(), long_ago + 1});
        for (std::uint64_t i = 0; i != n; ++i) slot(count + i).store(start, std::memory_order_release);
        count_.store(count + n, std::memory_order_release);
    }

    /// Precondition: the mutex is held.
    template <class Write>
    void change(Write write) noexcept
    {
        auto const version = version_.load(std::memory_order_relaxed);
        version_.store(version + 1, std::memory_order_relaxed);
        write();
        version_.store(version + 2, std::memory_order_release);
    }

    std::uint64_t capacity_;
    std::unique_ptr<atomic<std::int64_t>[]> starts_;
    atomic<std::uint64_t> limit_;
    atomic<std::int64_t> window_;
    atomic<std::uint64_t> count_{0}, epoch_{0}, version_{0};
    mutable mutex mutex_;
};

}  // namespace weir::detail
