// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/priority.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

namespace weir {

struct load_shedder_options {
    duration queue_delay = std::chrono::milliseconds{20};  ///< mean wait in a window that means overload; 0: not used
    double cpu = 0.9;                           ///< share of the CPU at hand that means overload; 0: not used
    duration window = std::chrono::seconds{1};  ///< one decision each; at least 1 ms
    std::uint32_t max_requests = 2000;          ///< or sooner, after so many; at least 1
    double decrease = 0.02;             ///< at most taken off the calls begun in an overloaded window; in (0, 1)
    double increase = 0.01;             ///< of the requests that came, added for one that is not; in (0, 1)
    std::string name = "load_shedder";  ///< the gate name in refusals; fixed at construction
};

/// The token of a load_shedder. It holds nothing.
struct [[nodiscard]] load_shedder_token {
    load_shedder_token() = default;
    load_shedder_token(load_shedder_token&&) = default;
    load_shedder_token& operator=(load_shedder_token&&) = default;
    void record(outcome const&, time_point) noexcept {}
};

/// Sheds by rank: it admits whatever is at least as important as a threshold, which moves with the load. In an
/// overloaded window it moves so that up to a fiftieth less will be admitted than was begun in it, otherwise so that
/// some more will be, as the ranks of the requests of that window tell. With priorities that go along with a request
/// (core/priority.hpp) every service on its way sheds the same ones. Requests of one rank are admitted or refused all
/// together: give them cohorts.
///
/// It is told of the load: how long each admitted request waited before work on it began (of every one, for they are
/// counted; not how long it took, which says more about services further on), and what share of the CPU is in use
/// (limit/cgroup_cpu.hpp).
///
///   auto admitted = shedder.admit(priority, now);
///   ... when a worker begins:  shedder.waited(now - arrived);
///   ... once a second or so:   if (auto const share = cpu.sample(now)) shedder.cpu_in_use(*share);
///
/// Refuses: errc::too_many_calls, retry_at when the threshold may move again.
/// Throws:  constructor and reconfigure only, std::invalid_argument for every field but the name.
/// Threads: everything, from any thread.   It cannot be moved.
/// Cost:    one addition to a counter of its rank to admit, two to tell of a wait; a mutex once a window, for which
///          nobody waits. 2 KiB. Nothing allocates.
/// Source:  H. Zhou et al., "Overload Control for Scaling WeChat Microservices" (DAGOR), SoCC 2018: the signal, the
///          window, both steps and their size; there the first, a twentieth, is taken off the admitted.
/// Seen in: examples/40_overload.cpp
class load_shedder {
public:
    using options = load_shedder_options;
    using token = load_shedder_token;

    /// The shedder as seen by one request, or by all of one kind: a gate for a pipeline. Lifetimes: the shedder's.
    class handle {
    public:
        handle(load_shedder& shedder, request_priority p) noexcept : shedder_(&shedder), priority_(p) {}
        admission<token> admit(time_point now) noexcept { return shedder_->admit(priority_, now); }

    private:
        load_shedder* shedder_;
        request_priority priority_;
    };

    explicit load_shedder(options const& o = {}) : options_(checked(o)), name_(o.name) {}
    load_shedder(load_shedder const&) = delete;
    load_shedder& operator=(load_shedder const&) = delete;

    admission<token> admit(request_priority p, time_point now) noexcept
    {
        came_[p.rank()].fetch_add(1, std::memory_order_relaxed);
        auto const n = requests_.fetch_add(1, std::memory_order_relaxed) + 1;
        if (n >= max_requests_.load(std::memory_order_relaxed) || now >= ends_.load(std::memory_order_relaxed))
            turn(now);
        if (p.rank() < threshold_.load(std::memory_order_relaxed)) return token{};
        return rejection{errc::too_many_calls, std::max(now, ends_.load(std::memory_order_relaxed)), name_};
    }
    /// A request that brings no priority has the default one.
    admission<token> admit(time_point now) noexcept { return admit(request_priority{}, now); }

    [[nodiscard]] handle at(request_priority p) noexcept { return handle{*this, p}; }

    /// An admitted request waited so long before work on it began.
    void waited(duration d) noexcept
    {
        waits_.fetch_add(1, std::memory_order_relaxed);
        waited_.fetch_add(std::clamp(d, duration::zero(), duration{std::chrono::hours{1}}).count() / 1000,
                          std::memory_order_relaxed);
    }

    /// The share of the CPU that was in use of late: 1 is all of what this process may use.
    void cpu_in_use(double share) noexcept { cpu_.store(share, std::memory_order_relaxed); }

    /// Ranks below it are admitted: request_priority::ranks when all are.
    [[nodiscard]] unsigned threshold() const noexcept { return threshold_.load(std::memory_order_relaxed); }

    /// Keeps the threshold.
    void reconfigure(options const& o)
    {
        auto const fresh = checked(o);
        std::scoped_lock const lock{mutex_};
        options_ = fresh;
        max_requests_.store(o.max_requests, std::memory_order_relaxed);
    }

    [[nodiscard]] std::string const& name() const noexcept { return name_; }

private:
    static constexpr auto ranks = request_priority::ranks;

    static options checked(options const& o)
    {
        if (o.queue_delay < duration::zero())
            detail::bad_option("load_shedder_options.queue_delay", "at least 0 ms", o.queue_delay);
        if (!(o.cpu >= 0 && o.cpu <= 1)) detail::bad_option("load_shedder_options.cpu", "in [0, 1]", o.cpu);
        if (o.window < std::chrono::milliseconds{1})
            detail::bad_option("load_shedder_options.window", "at least 1 ms", o.window);
        if (o.max_requests == 0) detail::bad_option("load_shedder_options.max_requests", "at least 1", o.max_requests);
        if (!(o.decrease > 0 && o.decrease < 1))
            detail::bad_option("load_shedder_options.decrease", "in (0, 1)", o.decrease);
        if (!(o.increase > 0 && o.increase < 1))
            detail::bad_option("load_shedder_options.increase", "in (0, 1)", o.increase);
        return o;
    }

    /// The end of a window. Whoever comes while another is at it goes on.
    void turn(time_point now) noexcept
    {
        std::unique_lock const lock{mutex_, std::try_to_lock};
        if (!lock) return;
        auto const ends = ends_.load(std::memory_order_relaxed);
        if (now < ends && requests_.load(std::memory_order_relaxed) < options_.max_requests) return;  // just done
        ends_.store(later(now, options_.window), std::memory_order_relaxed);
        requests_.store(0, std::memory_order_relaxed);

        std::array<std::uint32_t, ranks> came;
        std::uint64_t all = 0, admitted = 0;
        auto threshold = threshold_.load(std::memory_order_relaxed);
        for (std::size_t i = 0; i < ranks; ++i) {
            came[i] = came_[i].exchange(0, std::memory_order_relaxed);
            all += came[i];
            if (i < threshold) admitted += came[i];
        }
        auto const begun = static_cast<double>(waits_.exchange(0, std::memory_order_relaxed));
        auto const waited = static_cast<double>(waited_.exchange(0, std::memory_order_relaxed)) * 1000;
        bool const busy = overloaded(begun, waited);
        if (ends == time_point::min()) return;  // the first request: no window has been
        // What was begun is what the service can do, less the backlog that waits too long: so the threshold does not
        // swing. A backlog of an overload gone by is no reason to admit much less.
        auto const before = static_cast<double>(admitted);
        auto const can = begun > 0 ? begun : before;
        auto const target = busy ? std::min(before, can * (1 - cut(begun, waited)))
                                 : before + std::max(1.0, static_cast<double>(all) * options_.increase);
        // Rank by rank, until the histogram says that it is so many.
        auto sum = before;
        if (busy)
            while (threshold > 1 && sum > target) sum -= came[--threshold];
        else
            while (threshold < ranks && sum + came[threshold] <= target) sum += came[threshold++];
        // A rank that alone is more than a step must not stop the way up.
        if (!busy && threshold < ranks && sum + came[threshold] > target && sum == before) ++threshold;
        threshold_.store(threshold, std::memory_order_relaxed);
    }

    [[nodiscard]] bool overloaded(double begun, double waited) const noexcept
    {
        auto const limit = static_cast<double>(options_.queue_delay.count());
        return (limit > 0 && waited > limit * begun) ||
               (options_.cpu > 0 && cpu_.load(std::memory_order_relaxed) >= options_.cpu);
    }

    /// What is to be taken off, as a share: the backlog over `queue_delay`, as windows; a CPU says only that it is hot.
    [[nodiscard]] double cut(double begun, double waited) const noexcept
    {
        auto const excess = waited - static_cast<double>(options_.queue_delay.count()) * begun;
        if (options_.queue_delay == duration::zero() || excess <= 0) return options_.decrease;
        auto const share = excess / begun / static_cast<double>(options_.window.count());
        return std::clamp(share, std::min(0.01, options_.decrease), options_.decrease);
    }

    options options_;
    std::string const name_;
    mutex mutex_;
    std::array<atomic<std::uint32_t>, ranks> came_{};
    atomic<unsigned> threshold_{ranks};
    atomic<std::uint32_t> max_requests_{options_.max_requests};
    atomic<std::uint32_t> requests_{0};
    atomic<time_point> ends_{time_point::min()};
    atomic<std::int64_t> waits_{0};
    atomic<std::int64_t> waited_{0};  // microseconds
    atomic<double> cpu_{0};
};

}  // namespace weir
