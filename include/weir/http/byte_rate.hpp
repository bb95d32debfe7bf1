// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <boost/beast/core/rate_policy.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>

namespace weir::http {

struct byte_rate_options {
    std::uint64_t read = 0;                    ///< bytes per second, up to 1e12. 0: no limit
    std::uint64_t write = 0;                   ///< bytes per second, up to 1e12. 0: no limit
    duration burst = std::chrono::seconds{1};  ///< so much of the rate can be saved up; more than 0, up to an hour
    std::size_t transfer = 65536;              ///< at most so many bytes in one operation; at least 1
    std::size_t least = 4096;  ///< with less on hand than this, or an eighth of a second's worth, the stream waits
};

/// A limit in bytes per second for Beast's streams, reading and writing apart. Copies share it, so one limit may be
/// that of a connection, of a tenant's connections, or of the whole process:
///
///   weir::http::byte_rate limit{{.write = 1'000'000}};
///   beast::basic_stream<asio::ip::tcp, asio::any_io_executor, weir::http::byte_rate> stream(limit, executor);
///
/// Bytes are counted when an operation ends, and what was too much is owed: in any span t at most
/// rate * t + burst + one `transfer` for each stream that shares it. Only asynchronous operations are limited: Beast
/// does not ask for the others.
///
/// A stream that finds no bytes waits for Beast's own timer, which comes once a second and lets a byte through at
/// least. A burst of a second or more loses nothing by that. With less it can be slower than its rate, unless `least`
/// is 1 and it is alone: then it goes on with as little as there is, in many small operations.
///
/// Throws:  constructor and reconfigure only, std::invalid_argument for every field; std::bad_alloc.
/// Threads: copies are independent: streams that share a limit may run in different threads. reconfigure: any thread.
/// Cost:    one allocation for a limit and its copies; a short lock and a reading of the clock around each operation,
///          a load of an atomic in a direction without a limit.
/// Seen in: examples/22_byte_rate.cpp
template <clock Clock = tsc_clock>
class basic_byte_rate {
public:
    using options = byte_rate_options;

    explicit basic_byte_rate(options const& o = {}, Clock clock = {})
        : shared_(std::make_shared<shared>(checked(o), std::move(clock)))
    {
    }

    /// For all copies. Bytes owed stay owed.
    void reconfigure(options const& o)
    {
        checked(o);
        auto const now = shared_->clock.now();
        shared_->read.reconfigure(o.read, o, now);
        shared_->write.reconfigure(o.write, o, now);
    }

private:
    friend class boost::beast::rate_policy_access;

    __extension__ using int128 = __int128;

    /// One direction. Its level is kept in 1e-9 bytes: a nanosecond brings exactly `rate` of them.
    class meter {
    public:
        meter(std::uint64_t rate, options const& o, time_point now) noexcept : last_(now)
        {
            set(rate, o), level_ = full_;
        }

        void reconfigure(std::uint64_t rate, options const& o, time_point now) noexcept
        {
            std::scoped_lock const lock{mutex_};
            bool const was_limited = rate_ != 0;
            fill(now);
            set(rate, o);
            level_ = was_limited ? std::min(level_, full_) : full_;
        }

        [[nodiscard]] std::size_t available(Clock const& clock) noexcept
        {
            constexpr auto any = std::numeric_limits<std::size_t>::max();
            if (!limited_.load(std::memory_order_relaxed)) return any;
            auto const now = clock.now();
            std::scoped_lock const lock{mutex_};
            if (rate_ == 0) return any;
            fill(now);
            auto const bytes = level_ / nano;
            return bytes < least_ ? 0 : static_cast<std::size_t>(std::min(bytes, transfer_));
        }

        void spend(std::size_t bytes, Clock const& clock) noexcept
        {
            if (!limited_.load(std::memory_order_relaxed)) return;
            auto const now = clock.now();
            std::scoped_lock const lock{mutex_};
            if (rate_ == 0) return;
            fill(now);
            level_ -= static_cast<int128>(bytes) * nano;
        }

    private:
        static constexpr int128 nano = 1'000'000'000;

        void set(std::uint64_t rate, options const& o) noexcept
        {
            rate_ = static_cast<int128>(rate);
            limited_.store(rate != 0, std::memory_order_relaxed);
            full_ = std::max(rate_ * o.burst.count(), nano);
            transfer_ = static_cast<int128>(o.transfer);
            // No more than a full burst holds, or it would never be enough.
            least_ = std::min({static_cast<int128>(o.least), rate_ / 8, full_ / nano, transfer_});
            least_ = std::max(least_, int128{1});
        }
        void fill(time_point now) noexcept
        {
            if (now <= last_) return;  // a clock that steps back brings nothing
            level_ = std::min(level_ + rate_ * between(last_, now).count(), full_);
            last_ = now;
        }

        atomic<bool> limited_{false};  // without a limit there is nothing to lock or to reckon
        mutex mutex_;
        int128 rate_ = 0, full_ = 0, transfer_ = 0, least_ = 0, level_ = 0;
        time_point last_;
    };

    struct shared {
        shared(options const& o, Clock c)
            : clock(std::move(c)), read(o.read, o, clock.now()), write(o.write, o, clock.now())
        {
        }

        [[no_unique_address]] Clock clock;
        meter read, write;
    };

    static options const& checked(options const& o)
    {
        using namespace std::chrono_literals;
        for (auto const& [name, rate] :
             {std::pair{"byte_rate_options.read", o.read}, {"byte_rate_options.write", o.write}})
            if (rate > 1'000'000'000'000) weir::detail::bad_option(name, "at most 1e12 per second", rate);
        if (o.burst <= 0ns || o.burst > 1h)
            weir::detail::bad_option("byte_rate_options.burst", "more than 0 and at most an hour", o.burst);
        if (o.transfer == 0) weir::detail::bad_option("byte_rate_options.transfer", "at least 1", o.transfer);
        if (o.least == 0) weir::detail::bad_option("byte_rate_options.least", "at least 1", o.least);
        return o;
    }

    // What Beast asks, before and after each operation, and once a second while one is waiting.
    std::size_t available_read_bytes() const noexcept { return shared_->read.available(shared_->clock); }
    std::size_t available_write_bytes() const noexcept { return shared_->write.available(shared_->clock); }
    void transfer_read_bytes(std::size_t n) const noexcept { shared_->read.spend(n, shared_->clock); }
    void transfer_write_bytes(std::size_t n) const noexcept { shared_->write.spend(n, shared_->clock); }
    void on_timer() const noexcept {}

    std::shared_ptr<shared> shared_;
};

/// The byte rate on the processor's counter.
using byte_rate = basic_byte_rate<>;

}  // namespace weir::http
