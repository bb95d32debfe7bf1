// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/limit/limit_algorithm.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace weir {

struct littles_law_options {
    std::uint32_t initial_limit = 20;                 ///< before anything is known; min_limit to max_limit
    std::uint32_t min_limit = 1;                      ///< never lower; at least 1
    std::uint32_t max_limit = 10'000;                 ///< never higher; up to 1'000'000'000
    double headroom = 3;                              ///< limit over the work in progress at the knee; in [1.1, 3.5]
    std::uint32_t queue = 4;                          ///< and so many more, for small services; up to 1'000'000
    duration window = std::chrono::seconds{1};        ///< at least so long to count the throughput; at least 1 ms
    duration probe_every = std::chrono::seconds{10};  ///< how old the service time may become; at least `window`
    std::uint32_t samples = 100;                      ///< calls to take the service time from; 10 to 1'000'000
};

/// limit = headroom * throughput * service time + queue: by Little's law the product is the work in progress with which
/// the service is just busy, so the limit leaves it a queue of about twice that, and no more.
///
/// Throughput is counted while the limit is what holds calls back; only then does the limit move. Service time is the
/// mean latency of calls that were admitted when at most a quarter of the limit was in progress, so that hardly any of
/// it was waiting. In an overload there are none: then, every `probe_every`, the limit is lowered to that quarter for
/// as long as `samples` calls take. That costs little: a probe is followed by 50 times its length without one, and by 5
/// times while the limit is still on its way.
///
/// It cannot drift with an overload. Were the limit x times too high, a probe would still see at most x / 4 times the
/// service time, and the next limit is at most headroom / 4 of this one, hence headroom below 4.
/// A mean needs samples: estimates are joined by their variance (a Kalman filter of one state), so a service whose
/// calls differ by two orders of magnitude is averaged over many probes, and a steady one is followed at once.
///
/// Drops lower the limit by a tenth, once an overload, and are no samples of anything else.
/// Source: J. Little, 1961; the scheme, product and probe, is that of TCP BBR (N. Cardwell et al., ACM Queue 14(5),
///         2016), whose shortest round trip would mislead where service times vary.
/// Throws:  constructor and reconfigure only, std::invalid_argument for each field.
/// Threads: one at a time; see adaptive_limit.hpp.   Cost: arithmetic.   Seen in: examples/27_adaptive_limit.cpp
class littles_law {
public:
    using options = littles_law_options;

    explicit littles_law(options const& o = {}) : limit_(checked(o).initial_limit), options_(o) {}

    void update(limit_sample const& s) noexcept
    {
        if (began_ == never) restart(later(s.now, -s.latency));
        if (s.dropped) return dropped(s);
        auto const latency = double(std::max(s.latency, duration{1}).count());
        if (s.in_flight <= quarter()) take(latency);
        if (probing_) {
            if (count_ >= options_.samples || s.now >= give_up_) end_probe(s.now);
            return;
        }
        ended_ += s.calls;
        crowd_ += double(s.in_flight) * s.calls;
        latency_ += latency * s.calls;
        if (auto const span = between(began_, s.now); span >= options_.window && ended_ >= 20) {
            judge(s.now, span);
            restart(s.now);
        }
    }

    [[nodiscard]] std::uint32_t limit() const noexcept
    {
        return probing_ ? quarter() : static_cast<std::uint32_t>(limit_);
    }

    /// Whether the limit is lowered just now, to measure.
    [[nodiscard]] bool probing() const noexcept { return probing_; }

    /// The service time, without waiting; zero while unknown.
    [[nodiscard]] duration service_time() const noexcept { return duration{std::llround(service_)}; }

    void reconfigure(options const& o)
    {
        options_ = checked(o);
        clamp();
    }

private:
    [[nodiscard]] std::uint32_t quarter() const noexcept
    {
        return std::max(1u, static_cast<std::uint32_t>(limit_ / 4));
    }

    /// Welford's mean and variance.
    void take(double latency) noexcept
    {
        ++count_;
        auto const off = latency - mean_;
        mean_ += off / double(count_);
        squares_ += off * (latency - mean_);
    }

    /// The end of a window.
    void judge(time_point now, duration span) noexcept
    {
        auto const calls = double(ended_);
        if (crowd_ < 0.7 * limit_ * calls) {  // the limit is not what holds calls back: nothing to learn about it
            busy_time_ = busy_calls_ = 0;
            if (count_ >= options_.samples) learn_service_time();
            return;
        }
        busy_time_ += double(span.count());
        busy_calls_ += calls;
        if (busy_time_ > 2 * double(options_.probe_every.count())) busy_time_ /= 2, busy_calls_ /= 2;  // of late

        if (count_ >= options_.samples) {
            learn_service_time();
            set_limit(now);
        } else if (service_ != 0 && latency_ < 1.25 * service_ * calls) {
            set_limit(now);  // full, and yet nobody waits: there is more to be had
        } else if (now >= next_probe_) {
            begin_probe(now);
        }
    }

    void begin_probe(time_point now) noexcept
    {
        probing_ = true;
        probe_began_ = now;
        if (count_ < 10) forget_batch();
        // Twice as long as it should take if calls were as slow as they are now; then, with what there is.
        auto const pace = busy_calls_ / busy_time_ * quarter() / limit_;
        give_up_ = later(now, duration{std::llround(std::clamp(2 * double(options_.samples) / pace, 1e6, 1e12))});
    }

    void end_probe(time_point now) noexcept
    {
        probing_ = false;
        bool settled = true;
        if (count_ >= 10) {
            learn_service_time();
            settled = set_limit(now);
        }
        auto const share = settled ? 50 : 5;
        auto const cost = between(probe_began_, now);
        next_probe_ =
            std::max(next_probe_, later(now, cost > duration::max() / share ? duration::max() : cost * share));
        restart(now);
    }

    /// Little's law. Whether that changed little.
    bool set_limit(time_point now) noexcept
    {
        auto const before = limit_;
        limit_ = std::clamp(options_.headroom * busy_calls_ / busy_time_ * service_ + options_.queue, before / 2,
                            before * 2);
        clamp();
        bool const settled = limit_ < 1.18 * before && limit_ > 0.85 * before;
        next_probe_ = later(now, settled ? options_.probe_every : options_.window);
        if (!settled) busy_time_ = busy_calls_ = 0;
        return settled;
    }

    void learn_service_time() noexcept
    {
        auto const n = double(count_);
        auto const spread = squares_ / n / (mean_ * mean_);  // squared coefficient of variation
        spread_ += (spread - spread_) / 8;
        // Relative variances: the old estimate may have moved by a tenth meanwhile; the new one is as good as its
        // samples.
        auto const old = doubt_ + 0.1 * 0.1;
        auto const fresh = std::max(spread, spread_) / n;
        auto const off = service_ == 0 ? 1 : mean_ / service_ - 1;
        // The first, and one that chance does not explain, stand for themselves.
        auto const gain = off * off > 4 * (old + fresh) || service_ == 0 ? 1 : old / (old + fresh);
        service_ += gain * (mean_ - service_);
        doubt_ = gain == 1 ? fresh : (1 - gain) * old;
        forget_batch();
    }

    void dropped(limit_sample const& s) noexcept
    {
        if (later(s.now, -s.latency) < lowered_) return;
        lowered_ = s.now;
        limit_ *= 0.9;
        clamp();
    }

    void forget_batch() noexcept { count_ = 0, mean_ = 0, squares_ = 0; }
    void restart(time_point now) noexcept { began_ = now, ended_ = 0, crowd_ = 0, latency_ = 0; }
    void clamp() noexcept { limit_ = std::clamp(limit_, double(options_.min_limit), double(options_.max_limit)); }

    static options const& checked(options const& o)
    {
        detail::check_limits(o, "littles_law_options");
        detail::check_ratio(o.headroom, 1.1, 3.5, "littles_law_options.headroom", "in [1.1, 3.5]");
        if (o.queue > 1'000'000) detail::bad_option("littles_law_options.queue", "at most 1000000", o.queue);
        if (o.window < std::chrono::milliseconds{1})
            detail::bad_option("littles_law_options.window", "at least 1 ms", o.window);
        if (o.probe_every < o.window)
            detail::bad_option("littles_law_options.probe_every", "at least window", o.probe_every);
        if (o.samples < 10 || o.samples > 1'000'000)
            detail::bad_option("littles_law_options.samples", "from 10 to 1000000", o.samples);
        return o;
    }

    double limit_;
    double service_ = 0;  // nanoseconds
    double doubt_ = 0;    // its relative variance
    double spread_ = 1;   // squared coefficient of variation of service times, smoothed; 1 is the exponential's
    // The calls that hardly waited, since the last estimate.
    std::uint64_t count_ = 0;
    double mean_ = 0;
    double squares_ = 0;
    // This window.
    time_point began_ = never;
    std::uint64_t ended_ = 0;
    double crowd_ = 0;    // sum of in_flight
    double latency_ = 0;  // sum
    // The windows of late in which the limit was in use: throughput is calls over nanoseconds.
    double busy_calls_ = 0;
    double busy_time_ = 0;
    bool probing_ = false;
    time_point probe_began_{};
    time_point give_up_{};
    time_point next_probe_ = time_point::min();
    time_point lowered_ = time_point::min();
    options options_;
};

}  // namespace weir
