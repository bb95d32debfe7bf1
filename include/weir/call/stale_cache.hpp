// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/judge.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/result.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir {

struct stale_cache_options {
    std::size_t capacity = 1024;                    ///< entries at most; at least 1
    duration fresh_for = std::chrono::seconds(1);   ///< served without asking again; 0: never
    duration stale_for = std::chrono::minutes(10);  ///< after that, served where asking again failed; 0: never
};

/// What a cache has for a key.
template <class Value>
struct cached {
    std::shared_ptr<Value const> value;
    duration age{};      ///< since it was asked for
    bool stale = false;  ///< older than fresh_for: to be served only because there is nothing better
    /// Why asking again failed, where `call` served a stale value; of a value that is itself a failure, and not kept,
    /// errc::answer_failed.
    std::optional<weir::error> error = std::nullopt;

    [[nodiscard]] Value const& operator*() const noexcept { return *value; }
    [[nodiscard]] Value const* operator->() const noexcept { return value.get(); }
};

namespace detail {

/// A stale_cache, and who says what a failure is. It refers to the cache.
template <class Cache, class Judge>
class judged_cache {
public:
    using key_type = typename Cache::key_type;
    using value_type = typename Cache::value_type;
    using cached_value = cached<value_type>;

    judged_cache(Cache& cache, Judge&& judge) : cache_(&cache), judge_(std::move(judge)) {}

    /// As stale_cache::call.
    template <std::invocable Load, clock Clock = tsc_clock>
    [[nodiscard]] result<cached_value> call(key_type const& key, Load&& load, Clock const& clock = {}) const;

    /// As stale_cache::async_call.
    template <class... Args>
    auto async_call(Args&&... args) const;

    // For drivers:

    [[nodiscard]] std::optional<cached_value> find(key_type const& key, time_point now) const
    {
        return cache_->find(key, now);
    }

    /// What to serve when the origin, asked at `asked`, gave `value`; `kept` is what had been found before.
    [[nodiscard]] cached_value loaded(key_type const& key, value_type&& value, time_point asked,
                                      std::optional<cached_value> const& kept) const;

private:
    Cache* cache_;
    [[no_unique_address]] Judge judge_;
};

}  // namespace detail

/// Keeps what was last answered for a key: fresh for a while, so that the origin is not asked again, and stale for a
/// while longer, so that there is something to say when the origin fails (stale-if-error, RFC 5861).
///
///   weir::stale_cache<std::string, price> prices{{.fresh_for = 5s, .stale_for = 1h}};
///   auto p = prices.call("tea", [&] { return guarded.call(fetch_price); });
///
/// A value that a classifier calls a failure (an HTTP 503) is never kept, and a stale one is served in its place:
///
///   auto p = pages.judged_by(weir::http::classifier(verb::get)).call("/tea", [&] { return guarded.call(fetch); });
///
/// Beyond `capacity` the entry that was used least recently goes. Large caches are cut into shards of their own locks,
/// by the key's hash; "least recently" is then true of a shard.
///
/// Throws:  constructor and reconfigure, std::invalid_argument for the options; `put` and `call` what the copy of a
///          key, its hash, and memory throw.
/// Threads: any. Values are shared and const, and are never copied. Under a lock run only the key's hash and equality;
///          they must not come back to the cache. Keys and values are made and destroyed without locks.
/// Cost:    a lookup: one hash, one short lock. A store: two or three allocations.
/// Seen in: examples/25_fallback.cpp
template <class Key, class Value, class Hash = std::hash<Key>, class Equal = std::equal_to<Key>>
class stale_cache {
public:
    using options = stale_cache_options;
    using key_type = Key;
    using value_type = Value;

    explicit stale_cache(options const& o = {}, Hash hash = {}, Equal equal = {});
    stale_cache(stale_cache const&) = delete;
    stale_cache& operator=(stale_cache const&) = delete;

    /// What is kept for `key`, fresh or stale; nothing when it is too old for either.
    [[nodiscard]] std::optional<cached<Value>> find(Key const& key, time_point now);

    /// Keeps what the origin answered when it was asked at `asked`. An answer asked for earlier than the one kept is
    /// dropped, so of two that race the later one stays.
    void put(Key key, Value value, time_point asked)
    {
        store(std::move(key), std::make_shared<Value const>(std::move(value)), asked);
    }

    /// The fresh value; else what `load()` gives, which is kept; else the stale value, marked so, with load's error.
    /// `load` returns a value or a result, is called without locks, and what it throws passes through, unless there is
    /// a stale value. Callers of one key at one moment each load; blocking_single_flight.hpp joins them.
    template <std::invocable Load, clock Clock = tsc_clock>
    [[nodiscard]] result<cached<Value>> call(Key const& key, Load&& load, Clock const& clock = {})
    {
        return judged_by(detail::no_judge{}).call(key, std::forward<Load>(load), clock);
    }

    /// The same for an asynchronous operation: async_call([executor,] key, op, token). In
    /// weir/async/async_stale_cache.hpp.
    template <class... Args>
    auto async_call(Args&&... args);

    /// This cache, to be asked by `call` and `async_call` where `classifier`, or a weir::classify, says which values
    /// are failures. Where there is no stale value, such a value is given, with its `error`, and not kept.
    template <class Classifier>
    [[nodiscard]] detail::judged_cache<stale_cache, Classifier> judged_by(Classifier classifier)
    {
        return {*this, std::move(classifier)};
    }

    bool erase(Key const& key);
    void clear();

    /// The times take effect at once, on what is kept already. Throws also if the capacity is another.
    void reconfigure(options const& o);

    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

private:
    template <class Cache, class Judge>
    friend class detail::judged_cache;

    struct entry {
        std::size_t hash;
        Key key;
        std::shared_ptr<Value const> value;
        time_point asked;
    };
    using entries = std::list<entry>;  // the front was used last
    struct shard {
        mutable mutex guard;
        entries used;
        std::unordered_multimap<std::size_t, typename entries::iterator> index;
        std::size_t capacity = 0;
    };
    using place = typename decltype(shard::index)::iterator;

    static options const& checked(options const& o);
    [[nodiscard]] std::size_t hash_of(Key const& key) const;
    [[nodiscard]] shard& shard_of(std::size_t hash);
    [[nodiscard]] place look(shard& s, std::size_t hash, Key const& key) const;
    static void take_out(shard& s, place at, entries& gone);
    void store(Key key, std::shared_ptr<Value const> value, time_point asked);

    Hash hash_;
    Equal equal_;
    std::size_t const capacity_;
    atomic<duration::rep> fresh_for_;
    atomic<duration::rep> stale_for_;
    std::vector<shard> shards_;
};

// ---------------------------------------------------------------------------------------------------------------------

template <class Key, class Value, class Hash, class Equal>
stale_cache<Key, Value, Hash, Equal>::stale_cache(options const& o, Hash hash, Equal equal)
    : hash_(std::move(hash)),
      equal_(std::move(equal)),
      capacity_(checked(o).capacity),
      fresh_for_(o.fresh_for.count()),
      stale_for_(o.stale_for.count()),
      // No shard below 64 entries, where "least recently" would mean little.
      shards_(std::bit_floor(std::min<std::size_t>(std::max<std::size_t>(o.capacity / 64, 1), 16)))
{
    for (std::size_t i = 0; i < shards_.size(); ++i)
        shards_[i].capacity = capacity_ / shards_.size() + (i < capacity_ % shards_.size());
}

template <class Key, class Value, class Hash, class Equal>
std::optional<cached<Value>> stale_cache<Key, Value, Hash, Equal>::find(Key const& key, time_point now)
{
    duration const fresh(fresh_for_.load(std::memory_order_relaxed));
    duration const stale(stale_for_.load(std::memory_order_relaxed));
    auto const hash = hash_of(key);
    auto& s = shard_of(hash);
    entries gone;  // outlives the lock
    std::scoped_lock const lock(s.guard);
    auto const at = look(s, hash, key);
    if (at == s.index.end()) return std::nullopt;
    auto const found = at->second;
    auto const age = now > found->asked ? between(found->asked, now) : duration::zero();  // a clock may step back
    auto const is_fresh = age < fresh;
    if (!is_fresh && (age < fresh || age - fresh >= stale)) {
        take_out(s, at, gone);
        return std::nullopt;
    }
    s.used.splice(s.used.begin(), s.used, found);
    return cached<Value>{found->value, age, !is_fresh};
}

template <class Key, class Value, class Hash, class Equal>
void stale_cache<Key, Value, Hash, Equal>::store(Key key, std::shared_ptr<Value const> value, time_point asked)
{
    auto const hash = hash_of(key);
    auto& s = shard_of(hash);
    entries gone;
    entries fresh;  // the new entry, made without the lock
    fresh.push_back({hash, std::move(key), std::move(value), asked});
    std::scoped_lock const lock(s.guard);
    if (auto const at = look(s, hash, fresh.front().key); at != s.index.end()) {
        auto const found = at->second;
        if (found->asked > asked) return;
        found->asked = asked;
        std::swap(found->value, fresh.front().value);
        s.used.splice(s.used.begin(), s.used, found);
        return;
    }
    s.index.emplace(hash, fresh.begin());
    s.used.splice(s.used.begin(), fresh);
    if (s.used.size() <= s.capacity) return;
    auto const oldest = std::prev(s.used.end());
    auto [at, end] = s.index.equal_range(oldest->hash);
    while (at != end && at->second != oldest) ++at;
    take_out(s, at, gone);
}

template <class Cache, class Judge>
template <std::invocable Load, clock Clock>
auto detail::judged_cache<Cache, Judge>::call(key_type const& key, Load&& load, Clock const& clock) const
    -> result<cached_value>
{
    using returned = std::remove_cvref_t<std::invoke_result_t<Load&&>>;
    static_assert(std::same_as<returned, result<value_type>> || std::convertible_to<returned, value_type>,
                  "weir::stale_cache::call: load returns a Value or a weir::result<Value>");
    auto const asked = clock.now();
    auto kept = cache_->find(key, asked);
    if (kept && !kept->stale) return *std::move(kept);
    try {
        result<value_type> given = std::forward<Load>(load)();
        if (given) return loaded(key, *std::move(given), asked, kept);
        if (!kept) return given.error();
        kept->error = given.error();
    } catch (...) {
        if (!kept) throw;
        kept->error = error(errc::operation_threw);
    }
    return *std::move(kept);
}

template <class Cache, class Judge>
auto detail::judged_cache<Cache, Judge>::loaded(key_type const& key, value_type&& value, time_point asked,
                                                std::optional<cached_value> const& kept) const -> cached_value
{
    bool const failed = is_failure(judge_, std::as_const(value));
    auto answer = failed && kept ? *kept : cached_value{std::make_shared<value_type const>(std::move(value))};
    if (failed)
        answer.error = error(errc::answer_failed);
    else
        cache_->store(key, answer.value, asked);
    return answer;
}

template <class Key, class Value, class Hash, class Equal>
bool stale_cache<Key, Value, Hash, Equal>::erase(Key const& key)
{
    auto const hash = hash_of(key);
    auto& s = shard_of(hash);
    entries gone;
    std::scoped_lock const lock(s.guard);
    auto const at = look(s, hash, key);
    if (at == s.index.end()) return false;
    take_out(s, at, gone);
    return true;
}

template <class Key, class Value, class Hash, class Equal>
void stale_cache<Key, Value, Hash, Equal>::clear()
{
    for (auto& s : shards_) {
        entries gone;
        std::scoped_lock const lock(s.guard);
        s.index.clear();
        gone.swap(s.used);
    }
}

template <class Key, class Value, class Hash, class Equal>
void stale_cache<Key, Value, Hash, Equal>::reconfigure(options const& o)
{
    if (checked(o).capacity != capacity_)
        detail::bad_option("stale_cache_options.capacity", "what it was at construction", o.capacity);
    fresh_for_.store(o.fresh_for.count(), std::memory_order_relaxed);
    stale_for_.store(o.stale_for.count(), std::memory_order_relaxed);
}

template <class Key, class Value, class Hash, class Equal>
std::size_t stale_cache<Key, Value, Hash, Equal>::size() const
{
    std::size_t n = 0;
    for (auto const& s : shards_) {
        std::scoped_lock const lock(s.guard);
        n += s.used.size();
    }
    return n;
}

template <class Key, class Value, class Hash, class Equal>
stale_cache_options const& stale_cache<Key, Value, Hash, Equal>::checked(options const& o)
{
    if (o.capacity == 0) detail::bad_option("stale_cache_options.capacity", "at least 1", o.capacity);
    if (o.fresh_for < duration::zero())
        detail::bad_option("stale_cache_options.fresh_for", "0 ms or above", o.fresh_for);
    if (o.stale_for < duration::zero())
        detail::bad_option("stale_cache_options.stale_for", "0 ms or above", o.stale_for);
    return o;
}

// The standard hash of a number is the number: mixed, so that neighbours spread over the shards (Fibonacci hashing,
// Knuth, The Art of Computer Programming 3, 6.4).
template <class Key, class Value, class Hash, class Equal>
std::size_t stale_cache<Key, Value, Hash, Equal>::hash_of(Key const& key) const
{
    return static_cast<std::size_t>(std::uint64_t{hash_(key)} * 0x9e3779b97f4a7c15u);
}

template <class Key, class Value, class Hash, class Equal>
auto stale_cache<Key, Value, Hash, Equal>::shard_of(std::size_t hash) -> shard&
{
    return shards_[(hash >> (sizeof(hash) * 8 - 8)) & (shards_.size() - 1)];
}

template <class Key, class Value, class Hash, class Equal>
auto stale_cache<Key, Value, Hash, Equal>::look(shard& s, std::size_t hash, Key const& key) const -> place
{
    auto [at, end] = s.index.equal_range(hash);
    while (at != end && !equal_(at->second->key, key)) ++at;
    return at == end ? s.index.end() : at;
}

template <class Key, class Value, class Hash, class Equal>
void stale_cache<Key, Value, Hash, Equal>::take_out(shard& s, place at, entries& gone)
{
    gone.splice(gone.begin(), s.used, at->second);
    s.index.erase(at);
}

}  // namespace weir
