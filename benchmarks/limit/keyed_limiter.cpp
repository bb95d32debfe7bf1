// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A limit for each of many keys: the memory of a key, and a decision, where the table is larger than every cache. The
// floor is what the memory itself can do: locked additions to random words in 256 MB, which do not wait for each other.

#include "../support/floors.hpp"
#include "../support/report.hpp"

#include <weir/limit/keyed_limiter.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

using namespace std::chrono_literals;
using bench::contender;

template <class Policy>
using limiter = weir::basic_keyed_limiter<std::uint64_t, Policy>;

weir::keyed_limiter_options of(std::size_t keys, weir::rate r = weir::per_second(10), std::uint64_t burst = 10)
{
    return {.quotas = {{.rate = r, .burst = burst}}, .capacity = keys};
}

/// Keys as they come from outside: spread over 64 bits.
std::uint64_t key(std::uint64_t i) { return i * 0x9e3779b97f4a7c15U; }

struct room {
    double bytes_per_key = 0;
    double forced = 0;  // share of the keys that pushed out one still in debt
};

#if defined(__linux__)

/// Memory that is really there. The counts of statm are kept by processor and may be off by a hundred pages.
double resident()
{
    auto* const file = std::fopen("/proc/self/smaps_rollup", "r");
    if (file == nullptr) return 0;
    char line[256];
    unsigned long kilobytes = 0;
    while (std::fgets(line, sizeof line, file) != nullptr && std::sscanf(line, "Rss: %lu", &kilobytes) != 1) {}
    std::fclose(file);
    return static_cast<double>(kilobytes) * 1024;
}

/// As many keys in debt as it was made for; the memory as the system counts it, in a process of its own.
template <class Policy>
std::optional<room> fill(std::size_t keys)
{
    int ends[2];
    if (pipe(ends) != 0) return std::nullopt;
    auto const child = fork();
    if (child < 0) return std::nullopt;
    if (child == 0) {
        limiter<Policy> small(of(1, weir::per_hour(1), 1));
        (void)small.try_acquire(key(1));
        auto before = resident();  // twice: the first time, its own pages come in
        before = resident();
        limiter<Policy> all(of(keys, weir::per_hour(1), 1));
        for (std::uint64_t i = 0; i < keys; ++i) (void)all.try_acquire(key(i));
        room const found{(resident() - before) / static_cast<double>(keys),
                         static_cast<double>(all.forced_evictions()) / static_cast<double>(keys)};
        _exit(write(ends[1], &found, sizeof found) == sizeof found ? 0 : 1);
    }
    close(ends[1]);
    room found;
    bool const whole = read(ends[0], &found, sizeof found) == static_cast<ssize_t>(sizeof found);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return whole ? std::optional(found) : std::nullopt;
}

#else

template <class Policy>
std::optional<room> fill(std::size_t)
{
    return std::nullopt;
}

#endif

/// Full of keys, which it stays: made once, for all windows.
template <class Policy>
std::shared_ptr<limiter<Policy>> full(std::size_t keys)
{
    auto all = std::make_shared<limiter<Policy>>(of(keys));
    for (std::uint64_t i = 0; i < keys; ++i) (void)all->try_acquire(key(i), 5);
    return all;
}

/// Any of the keys, each as often as another.
struct uniform {
    bench::floors::numbers next;
    std::uint64_t keys;
    std::uint64_t operator()() noexcept { return key((next() & 0xffffffffU) * keys >> 32); }
};

template <class Policy>
contender one_by_one(std::string name, std::shared_ptr<limiter<Policy>> all, std::size_t keys)
{
    return {std::move(name), [all, keys](unsigned thread, unsigned n) {
                thread_local uniform any{{thread + 1}, 0};
                any.keys = keys;
                for (unsigned i = 0; i < n; ++i) bench::keep(all->try_acquire(any()));
                return true;
            }};
}

template <class Policy>
contender in_batches(std::string name, std::shared_ptr<limiter<Policy>> all, std::size_t keys)
{
    return {std::move(name), [all, keys](unsigned thread, unsigned n) {
                thread_local uniform any{{thread + 1}, 0};
                any.keys = keys;
                std::array<std::uint64_t, 32> asked;
                std::array<bool, 32> admitted;
                for (unsigned i = 0; i < n; i += 32) {
                    for (auto& k : asked) k = any();
                    bench::keep(all->try_acquire_batch(asked, admitted));
                }
                return true;
            }};
}

std::string with_keys(std::string const& name, std::size_t keys)
{
    return name + (keys >= 1'000'000 ? ", " + std::to_string(keys / 1'000'000) + "M keys"
                                     : ", " + std::to_string(keys / 1'000) + "k keys");
}

}  // namespace

int main(int argc, char** argv)
{
    bench::report r("keyed_limiter", argc, argv);
    auto const line = [](std::string const& what) { return "keyed_limiter, " + what; };
    for (std::size_t keys = 10'000; keys <= 10'000'000; keys *= 10) {
        auto const compact = fill<weir::compact_keys>(keys), exact = fill<weir::exact_keys>(keys);
        auto const x = static_cast<double>(keys);
        if (compact) r.point("memory", "compact_keys", x, compact->bytes_per_key);
        if (exact) r.point("memory", "exact_keys", x, exact->bytes_per_key);
        if (keys < 1'000'000) continue;
        char note[96] = "measured on Linux only";
        if (compact && exact)
            std::snprintf(note, sizeof note, "forced out at that: %.4f %%; exact_keys: %.1f B, %.4f %%",
                          compact->forced * 100, exact->bytes_per_key, exact->forced * 100);
        r.judge({.name = with_keys("keyed_limiter compact, memory of a key", keys),
                 .value = compact ? std::optional(compact->bytes_per_key) : std::nullopt,
                 .limit = 12,
                 .unit = "B",
                 .moonshot = "9.4",
                 .note = note});
        r.judge({.name = with_keys("keyed_limiter compact, keys forced out", keys),
                 .value = compact ? std::optional(compact->forced * 100) : std::nullopt,
                 .limit = 0.1,
                 .unit = "%",
                 .note = compact ? "" : note});
    }

    for (std::size_t keys = 10'000; keys <= 10'000'000; keys *= 10) {
        auto const compact = full<weir::compact_keys>(keys);
        auto const exact = full<weir::exact_keys>(keys);
        auto const name = [&](char const* what) { return with_keys(line(what), keys); };
        bool const largest = keys == 10'000'000;
        for (auto const threads : largest ? r.thread_counts() : std::vector<unsigned>{1}) {
            auto const& t = r.run(
                {bench::floors::xadd_random(), bench::floors::tsc_now(), one_by_one(name("compact"), compact, keys),
                 one_by_one(name("exact"), exact, keys), in_batches(name("compact, batches of 32"), compact, keys),
                 in_batches(name("exact, batches of 32"), exact, keys)},
                threads, bench::floors::random_xadd);
            if (threads != 1) continue;
            auto const x = static_cast<double>(keys);
            r.point("keyed", "exact_keys", x, t.ns(name("exact")));
            r.point("keyed", "compact_keys", x, t.ns(name("compact")));
            r.point("keyed", "exact, batches", x, t.ns(name("exact, batches of 32")));
            r.point("keyed", "compact, batches", x, t.ns(name("compact, batches of 32")));
            if (!largest) continue;
            char note[64];
            std::snprintf(note, sizeof note, "exact_keys: %.2f", t.ratio(name("exact"), bench::floors::random_xadd));
            r.judge({.name = "keyed_limiter compact, 10M keys / random lock xadd in 256 MB",
                     .value = t.ratio(name("compact"), bench::floors::random_xadd),
                     .limit = 8,
                     .moonshot = "3",
                     .note = note});
            std::snprintf(note, sizeof note, "exact_keys: %.2f",
                          t.ratio(name("exact, batches of 32"), bench::floors::random_xadd));
            r.judge({.name = "the same in batches of 32",
                     .value = t.ratio(name("compact, batches of 32"), bench::floors::random_xadd),
                     .limit = 3,
                     .moonshot = "1.5",
                     .note = note});
        }
    }
    return r.finish();
}
