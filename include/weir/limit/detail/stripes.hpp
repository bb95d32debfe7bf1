// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/detail/stripe_index.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/byte_lock.hpp>
#include <weir/limit/detail/gcra.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <utility>

namespace weir::detail {

inline constexpr unsigned max_stripes = 1024;

[[nodiscard]] inline unsigned stripe_count(unsigned wanted) noexcept
{
    if (wanted == 0) wanted = std::max(1u, std::thread::hardware_concurrency());
    return std::bit_ceil(std::min(wanted, max_stripes));
}

/// The word of `gcra`, and in front of it a lease per processor (stripe), and per event loop (pocket).
///
/// Why it is never over: as in leased_gcra, with the room for all leases set aside. Phi = permits in the word, in the
/// stripes and pockets, and in the hands of those who fill them.
///   - A stripe and the hands of its one filler hold q at most: whoever puts permits into it has its lock, and asks the
///     word, or takes from other stripes, for no more than q less what it held when he looked.
///   - He reads the clock after that. So at any instant s the permits that were paid for before s and are used after it
///     are those of one lease per stripe, and what is paid for after s is bounded by the word.
///   - What is set aside for pockets is never the word's, so that a pocket need not be asked when the word takes back
///     the room of the stripes. It holds as much as it ever could: a pocket keeps what it has, also when q shrinks.
/// Nothing is given back to the word while it lends.
class striped_gcra {
public:
    class pocket;

    striped_gcra(gcra_rate const& r, duration lease, unsigned stripes, unsigned pockets)
        : stripes_(stripes),
          pockets_(pockets),
          parts_(std::make_unique<part[]>(stripes + pockets)),
          word_(share(r, lease), stripes)
    {
        set_quantum(lease);
    }
    striped_gcra(striped_gcra&& other) noexcept
        : stripes_(other.stripes_),
          pockets_(other.pockets_),
          aside_(other.aside_.load()),
          parts_(std::move(other.parts_)),
          quantum_(other.quantum_.load()),
          least_(other.least_.load()),
          word_(std::move(other.word_))
    {
    }

    [[nodiscard]] gcra& word() noexcept { return word_; }

    template <class Clock>
    [[nodiscard]] bool acquire(std::uint64_t n, Clock const& clock, unsigned index = stripe_index()) noexcept
    {
        auto& mine = parts_[index & (stripes_ - 1)];
        return (mine.open.load(std::memory_order_relaxed) && mine.take(n)) || acquire_by_clock(mine, n, clock);
    }

    template <class Clock>
    [[nodiscard]] bool spend(std::uint64_t n, time_point now, Clock const& clock) noexcept
    {
        return word_.take(n, now) || (make_room(n, clock) && word_.take(n, now));
    }

    template <class Clock>
    [[nodiscard]] gcra::answer reserve(std::uint64_t n, time_point now, duration max_wait, Clock const& clock) noexcept
    {
        make_room(n, clock);
        return word_.reserve(n, now, max_wait);
    }

    /// When `reserve` will give n at once.
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const noexcept
    {
        std::int64_t back = 0;
        if (needs_room(n))
            for (auto const& s : std::span{parts_.get(), stripes_}) back += s.held();
        return word_.look(n, now, duration::zero(), back).at;
    }

    template <class Clock>
    [[nodiscard]] bool acquire_through(pocket& p, std::uint64_t n, Clock const& clock) noexcept;

    template <class Time, class Clock>
    void reconfigure(gcra_rate const& r, duration lease, Time const& now, Clock const& clock);

    template <class Clock>
    void drain(time_point now, Clock const& clock) noexcept
    {
        all_fillers const lock{stripes()};
        end_lending(clock);
        for (auto& p : pockets()) p.take_up_to(INT32_MAX);
        word_.drain(now);
    }

    [[nodiscard]] std::uint64_t available(time_point now) const noexcept
    {
        std::int64_t sum = 0;
        for (auto const& p : std::span{parts_.get(), stripes_ + pockets_}) sum += p.held();
        auto const most =
            word_.rate_now().burst + aside_.load(std::memory_order_relaxed) * static_cast<std::int64_t>(pockets_);
        return std::min(word_.available(now) + static_cast<std::uint64_t>(sum), static_cast<std::uint64_t>(most));
    }

private:
    // Apart by two cache lines: Intel's processors fetch them in pairs.
    struct alignas(128) part {
        atomic<bool> open{false};         // there may be permits; only a hint, so that a refusal does not write
        byte_lock filler;                 // of a pocket: it has an owner
        atomic<std::int32_t> permits{0};  // paid for; below zero: none
        atomic<std::int64_t> next_try{INT64_MIN};   // before that the word has nothing
        atomic<std::int64_t> next_scan{INT64_MIN};  // when to look into the other stripes again

        [[nodiscard]] std::int32_t held() const noexcept
        {
            return std::max(permits.load(std::memory_order_acquire), 0);
        }
        /// Relaxed: the number is all there is to know.
        [[nodiscard]] bool take(std::uint64_t n) noexcept
        {
            if (n == 1) return permits.fetch_sub(1, std::memory_order_relaxed) > 0;
            return n <= INT32_MAX && take_up_to(static_cast<std::int32_t>(n), static_cast<std::int32_t>(n)) > 0;
        }
        std::int32_t take_up_to(std::int32_t most, std::int32_t least = 1) noexcept
        {
            auto v = permits.load(std::memory_order_relaxed);
            while (v >= std::max(least, 1)) {
                auto const n = std::min(v, most);
                if (permits.compare_exchange_weak(v, v - n, std::memory_order_relaxed)) return n;
            }
            return 0;
        }
        /// Precondition: filler is held, and so much has room.
        void put(std::int64_t n) noexcept
        {
            if (n == 0) return;
            auto v = permits.load(std::memory_order_relaxed);
            auto const more = static_cast<std::int32_t>(n);
            while (!permits.compare_exchange_weak(v, std::max(v, 0) + more, std::memory_order_relaxed)) {}
            open.store(true, std::memory_order_relaxed);
        }
        /// Precondition: filler is held.
        void close_if_empty() noexcept
        {
            if (held() == 0) open.store(false, std::memory_order_relaxed);
        }
    };

    /// The locks of all stripes, in their order: nothing is in anybody's hands.
    class all_fillers {
    public:
        explicit all_fillers(std::span<part> stripes) noexcept : stripes_(stripes)
        {
            for (auto& s : stripes_) s.filler.lock();
        }
        ~all_fillers()
        {
            for (auto& s : stripes_) s.filler.unlock();
        }
        all_fillers(all_fillers const&) = delete;
        all_fillers& operator=(all_fillers const&) = delete;

    private:
        std::span<part> stripes_;
    };

    [[nodiscard]] std::span<part> stripes() noexcept { return {parts_.get(), stripes_}; }
    [[nodiscard]] std::span<part> pockets() noexcept { return {parts_.get() + stripes_, pockets_}; }

    /// The rate of the word: leases for all parts are a quarter of the burst at most, the pockets' are not the word's.
    [[nodiscard]] gcra_rate share(gcra_rate const& r, duration lease)
    {
        auto leased = r.leasing(lease, r.burst / 4 / static_cast<std::int64_t>(stripes_ + pockets_));
        auto const aside = std::max(aside_.load(std::memory_order_relaxed), leased.lease);
        auto const least = aside * static_cast<std::int64_t>(pockets_);
        if (r.burst < least)
            bad_option("striped_token_bucket_options.burst",
                       "at least " + std::to_string(least) + ", which handles may hold", r.burst);
        aside_.store(aside, std::memory_order_relaxed);
        leased.burst -= least;
        return leased;
    }

    void set_quantum(duration lease) noexcept
    {
        auto const r = word_.rate_now();
        // About a microsecond of the rate at once: this bounds how often the word's line moves.
        auto const least = r.leasing(std::chrono::microseconds{1}, r.lease / 4).lease;
        least_.store(static_cast<std::int32_t>(least), std::memory_order_relaxed);
        quantum_.store(std::max<std::int64_t>(lease.count(), 1000), std::memory_order_relaxed);
    }

    template <class Clock>
    [[gnu::noinline]] bool acquire_by_clock(part& mine, std::uint64_t n, Clock const& clock) noexcept;
    template <class Clock>
    [[nodiscard]] bool fill_and_take(part& mine, std::uint64_t n, Clock const& clock) noexcept;
    [[nodiscard]] std::int32_t collect(part const& mine, std::int32_t wanted, std::int32_t most) noexcept;
    template <class Clock>
    [[gnu::cold]] void open_all(Clock const& clock) noexcept;
    template <class Clock>
    [[gnu::cold]] void end_lending(Clock const& clock) noexcept;
    [[nodiscard]] bool needs_room(std::uint64_t n) const noexcept;
    template <class Clock>
    bool make_room(std::uint64_t n, Clock const& clock) noexcept;
    [[nodiscard]] std::int64_t next_try(time_point now) const noexcept;

    unsigned stripes_;
    unsigned pockets_;
    atomic<std::int64_t> aside_{0};  // set aside for each pocket: the most that one may hold
    std::unique_ptr<part[]> parts_;
    atomic<std::int64_t> quantum_{0};  // ns: for how long a refusal is remembered, and how often others are asked
    atomic<std::int32_t> least_{0};    // permits: a lease is not worth less
    alignas(128) gcra word_;
};

/// The lease of one event loop. What it holds it alone knows.
class striped_gcra::pocket {
public:
    explicit pocket(striped_gcra& owner) noexcept
    {
        for (auto& p : owner.pockets())
            if (p.filler.try_lock()) {
                part_.reset(&p);
                held_ = static_cast<std::uint64_t>(p.take_up_to(INT32_MAX));
                return;
            }
    }
    pocket(pocket&& other) noexcept
        : held_(std::exchange(other.held_, 0)), next_try_(other.next_try_), part_(std::move(other.part_))
    {
    }
    pocket& operator=(pocket&& other) noexcept
    {
        std::swap(held_, other.held_);
        std::swap(next_try_, other.next_try_);
        part_.swap(other.part_);
        return *this;
    }
    ~pocket()
    {
        if (part_) part_->put(static_cast<std::int64_t>(held_));
    }

    [[nodiscard]] bool take(std::uint64_t n) noexcept
    {
        if (n > held_) return false;
        held_ -= n;
        return true;
    }

private:
    friend striped_gcra;
    struct give_up {
        void operator()(part* p) const noexcept { p->filler.unlock(); }
    };

    std::uint64_t held_ = 0;
    std::int64_t next_try_ = INT64_MIN;
    std::unique_ptr<part, give_up> part_;
};

template <class Clock>
bool striped_gcra::acquire_by_clock(part& mine, std::uint64_t n, Clock const& clock) noexcept
{
    if (n == 0) return true;
    for (;;) {
        auto const now = clock.now();
        auto const ns = now.time_since_epoch().count();
        // The word only ever moves on, but for a cancelled reservation: what it refused it refuses until then. Its line
        // stays where it is.
        if (ns < mine.next_try.load(std::memory_order_relaxed)) return false;
        if (!word_.is_lending()) {
            gcra::passage made;
            auto const what = word_.decide<true>(n, now, made);
            if (what == gcra::verdict::taken) return true;
            if (what == gcra::verdict::refused) {
                if (n == 1) mine.next_try.store(next_try(now), std::memory_order_relaxed);
                return false;
            }
            open_all(clock);
        } else if (n > static_cast<std::uint64_t>(word_.rate_now().lease)) {
            return word_.take(n, now) || (make_room(n, clock) && word_.take(n, clock.now()));
        } else if (mine.filler.try_lock()) {
            std::scoped_lock const lock{std::adopt_lock, mine.filler};
            if (word_.is_lending()) return fill_and_take(mine, n, clock);
        } else {
            return word_.take(n, now);  // nobody waits for the filler
        }
        if (mine.take(n)) return true;
    }
}

/// Precondition: the filler of mine is held, and the word lends, which only the holder of all fillers can end.
template <class Clock>
bool striped_gcra::fill_and_take(part& mine, std::uint64_t n, Clock const& clock) noexcept
{
    auto const held = mine.held();
    if (n <= static_cast<std::uint64_t>(held) && mine.take(n)) return true;  // another one was faster
    auto const most = static_cast<std::int32_t>(word_.rate_now().lease) - held;
    auto const now = clock.now();
    auto const got = word_.lend(n, std::max(most, 0), now, least_.load(std::memory_order_relaxed));
    mine.put(got.extra);
    if (got.admitted) return true;

    auto const ns = now.time_since_epoch().count();
    duration const quantum{quantum_.load(std::memory_order_relaxed)};
    auto const due = mine.next_scan.load(std::memory_order_relaxed);
    if (ns >= due || between(now, time_point{duration{due}}) > quantum) {  // or the clock went back
        mine.next_scan.store(later(now, quantum).time_since_epoch().count(), std::memory_order_relaxed);
        mine.put(collect(mine, static_cast<std::int32_t>(n), most));
        if (mine.held() > 0 && mine.take(n)) return true;
    }
    mine.close_if_empty();
    if (n == 1) mine.next_try.store(next_try(now), std::memory_order_relaxed);
    return false;
}

/// Takes `wanted` permits, at most `most`, out of the other stripes and the pockets that nobody owns.
inline std::int32_t striped_gcra::collect(part const& mine, std::int32_t wanted, std::int32_t most) noexcept
{
    std::int32_t got = 0;
    for (auto& other : std::span{parts_.get(), stripes_ + pockets_}) {
        if (got >= std::min(wanted, most)) break;
        if (&other != &mine) got += other.take_up_to(most - got);
    }
    return got;
}

/// Begins to lend: every stripe gets its lease, as far as there is enough.
template <class Clock>
void striped_gcra::open_all(Clock const& clock) noexcept
{
    all_fillers const lock{stripes()};
    if (word_.is_lending()) return;
    auto const each = word_.rate_now().lease;
    auto left = word_.lend(0, each * static_cast<std::int64_t>(stripes_), clock.now()).extra;
    for (auto& s : stripes()) {
        auto const n = std::min(each, left);
        s.put(n);
        left -= n;
    }
}

/// Precondition: all fillers are held.
template <class Clock>
void striped_gcra::end_lending(Clock const& clock) noexcept
{
    if (!word_.is_lending()) return;
    std::int64_t back = 0;
    for (auto& s : stripes()) {
        back += s.take_up_to(INT32_MAX);
        s.close_if_empty();
    }
    word_.end_lending(back, clock.now());
}

/// Whether n permits need the room that is set aside for the stripes.
inline bool striped_gcra::needs_room(std::uint64_t n) const noexcept
{
    if (!word_.is_lending()) return false;
    auto const r = word_.rate_now();
    auto const aside = r.lease * static_cast<std::int64_t>(stripes_);
    return n <= static_cast<std::uint64_t>(r.burst) && n > static_cast<std::uint64_t>(r.burst - aside);
}

/// Empties the stripes into the word if it does.
template <class Clock>
bool striped_gcra::make_room(std::uint64_t n, Clock const& clock) noexcept
{
    if (!needs_room(n)) return false;
    all_fillers const lock{stripes()};
    end_lending(clock);
    return true;
}

/// When it makes sense to ask the word again, at most a quantum ahead: after a cancel or a change it may be sooner.
inline std::int64_t striped_gcra::next_try(time_point now) const noexcept
{
    auto const least = std::max(least_.load(std::memory_order_relaxed), 1);
    auto const at = word_.look(static_cast<std::uint64_t>(least), now, duration::zero()).at;
    return std::min(at, later(now, duration{quantum_.load(std::memory_order_relaxed)})).time_since_epoch().count();
}

template <class Clock>
bool striped_gcra::acquire_through(pocket& p, std::uint64_t n, Clock const& clock) noexcept
{
    if (n == 0) return true;
    if (!p.part_) return acquire(n, clock);
    auto const lease = static_cast<std::uint64_t>(word_.rate_now().lease);
    auto const most = static_cast<std::int64_t>(lease - std::min(lease, p.held_));
    auto const now = clock.now();
    if (now.time_since_epoch().count() < p.next_try_) return false;
    auto const got = word_.lend(n, most, now, least_.load(std::memory_order_relaxed), true);
    p.held_ += static_cast<std::uint64_t>(got.extra);
    if (got.admitted || acquire(n, clock)) return true;
    if (n == 1) p.next_try_ = next_try(now);
    return false;
}

template <class Time, class Clock>
void striped_gcra::reconfigure(gcra_rate const& r, duration lease, Time const& now, Clock const& clock)
{
    all_fillers const lock{stripes()};
    auto const next = share(r, lease);
    end_lending(clock);
    word_.reconfigure(next, now);
    set_quantum(lease);
    for (auto& s : stripes()) s.next_try.store(INT64_MIN, std::memory_order_relaxed);
}

}  // namespace weir::detail
