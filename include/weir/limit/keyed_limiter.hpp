// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/detail/gate_name.hpp>
#include <weir/limit/detail/keyed_hash.hpp>
#include <weir/limit/detail/keyed_table.hpp>
#include <weir/limit/detail/permit.hpp>
#include <weir/limit/keyed_limiter_options.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir {

/// The default policy: 24 bytes per key of capacity, and no two keys of up to 8 bytes are ever taken for one.
struct exact_keys {
    using bucket = detail::exact_bucket;
};

/// 10 bytes per key of capacity. A key is known by 24 bits of its hash in one of two cache lines: about one in a
/// million shares the limiter of another, which refuses more and never admits more. The clock is read in steps of
/// 1/1024 of the time a permit takes (coarser above 10'000 per second), so a window may see one permit early by that
/// much.
struct compact_keys {
    using bucket = detail::compact_bucket;
};

namespace detail {

/// A policy says how keys are stored, and may say which quota a key has: `std::size_t quota_of(key) const noexcept`.
template <class Policy, class Key>
concept keyed_policy = requires { typename Policy::bucket; } && std::copy_constructible<Policy>;
template <class Policy>
concept names_quotas = requires { &Policy::quota_of; };

}  // namespace detail

/// A token bucket for every key (client address, tenant, API key), in a table of fixed size:
///
///   weir::keyed_limiter<std::string> per_client{{.quotas = {{weir::per_second(10), 20}}, .capacity = 100'000}};
///   if (!per_client.try_acquire(api_key)) return too_many_requests;
///
/// Per key, admitted <= rate * t + burst in every window t, with any number of threads, as with token_bucket. A key
/// that owes nothing equals one that was never seen and takes no room: nothing is registered, nothing expires, nothing
/// has to be swept. `capacity` counts the keys in debt at once. Beyond it, a key about to be out of debt is forgotten
/// early, which gives it a full burst again; `forced_evictions()` counts them. Keys may be chosen by an attacker: the
/// hash has a random seed.
///
/// Quotas: `of(key, quota)` picks a class of the options for this call; or derive a policy that knows the class by key:
///
///   struct by_plan : weir::exact_keys { std::size_t quota_of(std::uint64_t tenant) const noexcept; };
///
/// A key that changes its class keeps its debt, in permits. quota_of never runs under a lock.
///
/// Key:     whatever converts to std::string_view, or a value without padding (integer, enum, ip_key, std::array).
/// Refuses: errc::rate_limited, retry_at exact if nobody else asks for this key; errc::exceeds_burst when n > burst:
///          never. n = 0 always passes and takes nothing. A clock that steps back makes it refuse until time returns.
/// Throws:  constructor and reconfigure only: std::invalid_argument; constructor: std::bad_alloc.
/// Threads: everything, from any thread, except moving.
/// Cost:    one cache miss, sometimes two; one compare-exchange to admit, loads only to refuse. A key not in the table
///          enters under a lock of a thousandth of it. Never allocates after construction. Pass `now` where you have
///          it: a clock read between two keys makes the second wait for the first (10M keys: 230 ns against 119).
/// Seen in: examples/17_keyed_limiter.cpp
template <class Key = std::uint64_t, class Policy = exact_keys, clock Clock = tsc_clock>
class basic_keyed_limiter {
    static_assert(detail::text_key<Key> || detail::plain_key<Key>,
                  "a key is text, or a trivially copyable value without padding bytes");
    static_assert(detail::keyed_policy<Policy, Key>, "a policy derives from exact_keys or compact_keys");

    using table = detail::keyed_table<typename Policy::bucket>;

public:
    using options = keyed_limiter_options;
    using token = detail::permit<table>;
    using key_view = std::conditional_t<detail::text_key<Key>, std::string_view, Key>;
    class gate;

    explicit basic_keyed_limiter(options const& o = {}, Policy policy = {}, Clock clock = {})
        : table_(std::make_unique<table>(o)),
          hash_(o.seed),
          name_(o.name),
          policy_(std::move(policy)),
          clock_(std::move(clock))
    {
    }

    /// Everything there is to one key: a gate for a pipeline, with the verbs below. Cheap; the limiter outlives it.
    /// In a pipeline for all keys stands the limiter itself, if its keys are text, or limit/keyed_by.hpp.
    [[nodiscard]] gate of(key_view key) noexcept { return of(key, quota_of(key)); }
    /// Precondition: quota is an index into options.quotas.
    [[nodiscard]] gate of(key_view key, std::size_t quota) noexcept { return {*this, hash_(key), quota}; }

    /// Takes n permits of the key, or none. They are spent; to be able to give them back, use admit or reserve.
    [[nodiscard]] bool try_acquire(key_view key, std::uint64_t n = 1) noexcept
    {
        auto const id = hash_(key);
        table_->prefetch_both(id);  // memory answers while we ask for the time
        return table_->take(id, quota_of(key), n, clock_.now());
    }
    [[nodiscard]] bool try_acquire(key_view key, std::uint64_t n, time_point now) noexcept
    {
        return table_->take(hash_(key), quota_of(key), n, now);
    }

    /// One permit of each key, all at one instant: admitted[i] tells of keys[i]. Returns how many were admitted.
    /// Two to three times as fast as one by one where the table is larger than the caches: it waits for memory once for
    /// 32 keys. Precondition: admitted is as long as keys.
    std::size_t try_acquire_batch(std::span<Key const> keys, std::span<bool> admitted) noexcept
    {
        return try_acquire_batch(keys, admitted, clock_.now());
    }
    std::size_t try_acquire_batch(std::span<Key const> keys, std::span<bool> admitted, time_point now) noexcept;

    /// One permit for one call, now.
    admission<token> admit(key_view key, time_point now) noexcept { return of(key).admit(now); }

    /// n permits for use at `start_at()`, at most max_wait from now; those who ask later for this key queue behind.
    admission<token> reserve(key_view key, std::uint64_t n, duration max_wait) noexcept
    {
        return of(key).reserve(n, max_wait);
    }
    admission<token> reserve(key_view key, std::uint64_t n, duration max_wait, time_point now) noexcept
    {
        return of(key).reserve(n, max_wait, now);
    }

    /// The key has nothing on hand from now on, as if it had spent it all.
    void drain(key_view key) noexcept { of(key).drain(); }
    void drain(key_view key, time_point now) noexcept { of(key).drain(now); }

    /// Permits the key has on hand.
    [[nodiscard]] std::uint64_t available(key_view key) const noexcept { return available(key, clock_.now()); }
    [[nodiscard]] std::uint64_t available(key_view key, time_point now) const noexcept
    {
        return table_->available(hash_(key), quota_of(key), now);
    }
    /// When n permits will be on hand if nobody else asks for this key: `now` or later, `never` when n > burst.
    [[nodiscard]] time_point retry_at(key_view key, std::uint64_t n, time_point now) const noexcept
    {
        return table_->look(hash_(key), quota_of(key), n, now).at;
    }

    /// Changes the quotas, as many as there were, under load and whatever the number of keys. Every key keeps its debt,
    /// counted in permits. Rates and bursts may grow to 32 times the largest of the construction, mostly to much more.
    /// Capacity, seed and name stay as they are. What has passed since `now` counts at the new rate, also for a key
    /// that was asked for meanwhile; without `now` it is the time at which the old rates have gone out of use, and who
    /// asks in that moment waits for it. Who is told a time from before is judged by the rate of then; where it has
    /// changed more than once since, he may be refused instead.
    void reconfigure(options const& o) { table_->reconfigure(o.quotas, clock_); }
    void reconfigure(options const& o, time_point now) { table_->reconfigure(o.quotas, now); }

    /// Keys forgotten before they were out of debt, because more than about `capacity` keys were in debt.
    [[nodiscard]] std::uint64_t forced_evictions() const noexcept { return table_->forced(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return table_->capacity(); }
    /// All memory there is to it; it does not grow.
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return sizeof *this + table_->bytes(); }
    /// Counts the keys in debt, by looking at the whole table. Exact while nobody asks.
    [[nodiscard]] std::size_t keys_in_debt(time_point now) const noexcept { return table_->in_debt(now); }
    [[nodiscard]] std::string_view name() const noexcept { return name_.view(); }

private:
    [[nodiscard]] std::size_t quota_of([[maybe_unused]] key_view key) const noexcept
    {
        if constexpr (detail::names_quotas<Policy>) {
            static_assert(
                std::is_nothrow_invocable_r_v<std::size_t, decltype(&Policy::quota_of), Policy const&, key_view>,
                "std::size_t quota_of(key) const noexcept");
            auto const quota = policy_.quota_of(key);
            assert(quota < table_->quotas() && "quota_of gives an index into options.quotas");
            return std::min(quota, table_->quotas() - 1);
        } else {
            return 0;
        }
    }

    std::unique_ptr<table> table_;
    detail::keyed_hash hash_;
    detail::gate_name<"keyed_limiter"> name_;
    [[no_unique_address]] Policy policy_;
    [[no_unique_address]] Clock clock_;
};

/// One key of a keyed_limiter. Made by `of`; a copy is the same key.
/// Threads: any. Lifetimes: the limiter outlives it, and stays where it is.
template <class Key, class Policy, clock Clock>
class basic_keyed_limiter<Key, Policy, Clock>::gate {
public:
    using token = basic_keyed_limiter::token;

    [[nodiscard]] bool try_acquire(std::uint64_t n = 1) noexcept { return try_acquire(n, limiter_->clock_.now()); }
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now) noexcept
    {
        return table().take(id_, quota_, n, now);
    }

    admission<token> admit(time_point now) noexcept { return reserve(1, duration::zero(), now); }

    admission<token> reserve(std::uint64_t n, duration max_wait) noexcept
    {
        return reserve(n, max_wait, limiter_->clock_.now());
    }
    admission<token> reserve(std::uint64_t n, duration max_wait, time_point now) noexcept
    {
        auto const a = table().reserve(id_, quota_, n, now, max_wait);
        if (a.admitted) return token{table(), a};
        return rejection{a.why, a.at, limiter_->name()};
    }

    void drain() noexcept { drain(limiter_->clock_.now()); }
    void drain(time_point now) noexcept { table().drain(id_, quota_, now); }

    [[nodiscard]] std::uint64_t available() const noexcept { return available(limiter_->clock_.now()); }
    [[nodiscard]] std::uint64_t available(time_point now) const noexcept { return table().available(id_, quota_, now); }
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const noexcept
    {
        return table().look(id_, quota_, n, now).at;
    }
    [[nodiscard]] std::string_view name() const noexcept { return limiter_->name(); }
    /// Equal for gates of one key and quota only: those who wait in async_acquire for one of these are one queue.
    [[nodiscard]] std::pair<void const*, std::uint64_t> identity() const noexcept
    {
        return {table().address_of(quota_), id_.identity};
    }

private:
    friend basic_keyed_limiter;
    gate(basic_keyed_limiter& limiter, detail::keyed_id id, std::size_t quota) noexcept
        : limiter_(&limiter), id_(id), quota_(std::min(quota, limiter.table_->quotas() - 1))
    {
        assert(quota < limiter.table_->quotas() && "quota is an index into options.quotas");
    }
    [[nodiscard]] basic_keyed_limiter::table& table() const noexcept { return *limiter_->table_; }

    basic_keyed_limiter* limiter_;
    detail::keyed_id id_;
    std::size_t quota_;
};

template <class Key, class Policy, clock Clock>
std::size_t basic_keyed_limiter<Key, Policy, Clock>::try_acquire_batch(std::span<Key const> keys,
                                                                       std::span<bool> admitted,
                                                                       time_point now) noexcept
{
    assert(admitted.size() >= keys.size());
    constexpr std::size_t most = 32;  // about as many cache misses as a core can wait for, twice
    std::array<detail::keyed_id, most> ids;
    std::array<std::uint8_t, most> quotas;
    std::size_t count = 0;
    for (std::size_t from = 0; from < keys.size(); from += most) {
        auto const size = std::min(most, keys.size() - from);
        for (std::size_t i = 0; i < size; ++i) {
            ids[i] = hash_(keys[from + i]);
            table_->prefetch(ids[i]);
            quotas[i] = static_cast<std::uint8_t>(quota_of(keys[from + i]));
        }
        count += table_->take_each(ids.data(), quotas.data(), size, &admitted[from], now);
    }
    return count;
}

/// The keyed limiter on the fastest clock there is.
template <class Key = std::uint64_t, class Policy = exact_keys>
using keyed_limiter = basic_keyed_limiter<Key, Policy>;

}  // namespace weir
