// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/// Measures what takes a few nanoseconds, on a machine that does other things meanwhile.
///
/// A thread runs chunks of 512 decisions and stamps each chunk with the cycle counter. The figure of a window is the
/// median of its chunks: one that was interrupted is an outlier and falls away. Contenders take turns, window by
/// window, in an order that rotates, so that a disturbance falls on all alike; and what is compared is compared within
/// one turn, in the median over turns. See benchmarks/README.md.
namespace bench {

using weir::duration;

/// Keeps the compiler from seeing that a value is not used.
template <class T>
[[gnu::always_inline]] inline void keep(T const& value)
{
    asm volatile("" : : "r,m"(value) : "memory");
}

/// The cycle counter: a tenth of what a clock costs, and read once in 512 decisions.
[[nodiscard]] inline std::uint64_t ticks() noexcept
{
#if defined(__x86_64__)
    return __rdtsc();
#else
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

[[nodiscard]] inline double ns_per_tick()
{
    static double const measured = [] {
        auto const t0 = std::chrono::steady_clock::now();
        auto const a = ticks();
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        auto const t1 = std::chrono::steady_clock::now();
        auto const b = ticks();
        return std::chrono::duration<double, std::nano>(t1 - t0).count() / static_cast<double>(b - a);
    }();
    return measured;
}

/// The processors that this process may use.
[[nodiscard]] inline std::vector<int> const& processors()
{
    static std::vector<int> const all = [] {
        std::vector<int> found;
#if defined(__linux__)
        cpu_set_t set;
        CPU_ZERO(&set);
        if (sched_getaffinity(0, sizeof set, &set) == 0) {
            for (int i = 0; i < CPU_SETSIZE; ++i) {
                if (CPU_ISSET(i, &set)) found.push_back(i);
            }
        }
#endif
        if (found.empty()) {
            for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) found.push_back(-1);
        }
        return found;
    }();
    return all;
}

/// One thread to a processor while they suffice; a single thread away from the first, which serves interrupts.
inline void pin(unsigned thread, unsigned threads)
{
#if defined(__linux__)
    auto const& all = processors();
    if (threads > all.size()) return;
    auto const cpu = threads == 1 ? all.back() : all[thread];
    if (cpu < 0) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    (void)sched_setaffinity(0, sizeof set, &set);
#else
    (void)thread, (void)threads;
#endif
}

/// The middle value; of an even number, the upper one of the two.
[[nodiscard]] inline double median(std::vector<double> v)
{
    if (v.empty()) return 0;
    auto const middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
    std::nth_element(v.begin(), middle, v.end());
    return *middle;
}

/// Half of the distance between the quartiles, as a share of the median: how far another run may be off.
[[nodiscard]] inline double scatter(std::vector<double> v)
{
    if (v.size() < 4) return 0;
    std::sort(v.begin(), v.end());
    auto const middle = v[v.size() / 2];
    return middle > 0 ? (v[v.size() * 3 / 4] - v[v.size() / 4]) / 2 / middle : 0;
}

/// Something to measure.
struct contender {
    std::string name;
    /// Does n decisions on behalf of one of the threads; says whether all of them came out as they should.
    std::function<bool(unsigned thread, unsigned n)> body;
    /// Before each window, on no thread of it: a full bucket, a handle for each thread.
    std::function<void(unsigned threads)> begin = {};
};

/// A body that calls `f(thread)`, a bool, once for each decision.
template <class F>
[[nodiscard]] auto each(F f)
{
    return [f](unsigned thread, unsigned n) {
        auto decide = f;  // its captures in registers
        bool good = true;
        for (unsigned i = 0; i < n; ++i) good &= decide(thread);
        return good;
    };
}

/// One window of one contender.
struct window {
    double ns = 0;          // a decision of one thread, median of the chunks
    double per_second = 0;  // decisions of all threads
    bool good = true;
};

[[nodiscard]] inline window run_window(contender const& c, unsigned threads, duration length, unsigned chunk)
{
    struct lane {
        std::vector<double> chunks;
        double per_second = 0;
        bool good = true;
    };
    bool const crowded = threads > processors().size();
    auto const scale = ns_per_tick();
    if (c.begin) c.begin(threads);
    std::atomic<unsigned> ready{0};
    std::atomic<bool> go{false}, stop{false};
    std::vector<lane> lanes(threads);
    std::vector<std::thread> running;
    for (unsigned i = 0; i < threads; ++i) {
        running.emplace_back([&, i] {
            pin(i, threads);
            lane mine;
            mine.chunks.reserve(std::size_t{1} << 15);
            mine.good = c.body(i, chunk);  // warm
            ready.fetch_add(1);
            while (!go.load(std::memory_order_acquire)) {
                if (crowded) std::this_thread::yield();
            }
            auto const begin = ticks();
            std::uint64_t done = 0;
            auto before = begin;
            do {
                mine.good &= c.body(i, chunk);
                auto const after = ticks();
                if (mine.chunks.size() < mine.chunks.capacity())
                    mine.chunks.push_back(static_cast<double>(after - before));
                before = after;
                done += chunk;
            } while (!stop.load(std::memory_order_relaxed));
            mine.per_second = static_cast<double>(done) / (static_cast<double>(before - begin) * scale) * 1e9;
            lanes[i] = std::move(mine);
        });
    }
    while (ready.load() < threads) std::this_thread::yield();
    go.store(true, std::memory_order_release);
    std::this_thread::sleep_for(length);
    stop.store(true);
    for (auto& t : running) t.join();

    window w;
    std::vector<double> all;
    for (auto const& l : lanes) {
        w.per_second += l.per_second;
        w.good &= l.good;
        all.insert(all.end(), l.chunks.begin(), l.chunks.end());
    }
    w.ns = median(std::move(all)) * scale / chunk;
    return w;
}

/// What came of one contender: a value for each turn, to be compared with others' of the same turn.
struct result {
    std::string name;
    unsigned threads = 1;
    std::vector<double> ns, per_second;
    bool good = true;
};

struct settings {
    int turns = 9;
    duration length = std::chrono::milliseconds(10);
    unsigned chunk = 512;
};

/// All contenders, taking turns.
[[nodiscard]] inline std::vector<result> compare(std::vector<contender> const& contenders, unsigned threads,
                                                 settings const& s)
{
    std::vector<result> results;
    for (auto const& c : contenders) results.push_back({c.name, threads, {}, {}, true});
    for (int turn = 0; turn < s.turns; ++turn) {
        for (std::size_t i = 0; i < contenders.size(); ++i) {
            auto const k = (i + static_cast<std::size_t>(turn)) % contenders.size();
            auto const w = run_window(contenders[k], threads, s.length, s.chunk);
            results[k].ns.push_back(w.ns);
            results[k].per_second.push_back(w.per_second);
            results[k].good &= w.good;
        }
    }
    return results;
}

/// The median over turns of `f(a's value, b's value)`.
template <class F>
[[nodiscard]] double in_one_turn(std::vector<double> const& a, std::vector<double> const& b, F f)
{
    std::vector<double> each_turn;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) each_turn.push_back(f(a[i], b[i]));
    return median(std::move(each_turn));
}

}  // namespace bench
