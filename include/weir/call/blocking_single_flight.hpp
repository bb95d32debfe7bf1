// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/core/result.hpp>
#include <weir/core/time.hpp>

#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace weir {

/// Threads that want the same thing at the same time share one operation: the blocking form of single_flight
/// (weir/async/single_flight.hpp), by the same rules.
///
///   weir::blocking_single_flight<std::string, price> joined;
///   auto p = joined.call("tea", [&] { return guarded.call(fetch_price); }, deadline);
///
/// The first caller of a key runs `op()`, on its own thread, and the others wait for how that ends: everybody gets a
/// copy of the value, of the error, or the exception itself. `op` returns a Value or a result<Value>. It is called
/// without locks, and ends by itself: what limits its time is for a pipeline in it.
///
/// Refuses: errc::deadline_exceeded to a caller whose deadline passes while it waits; the others wait on undisturbed.
///          std::errc::resource_deadlock_would_occur to an operation that asks for its own key.
/// Throws:  what `op` threw, to all who waited for it; what the copies of keys and values, and memory, throw.
/// Threads: any. Under a lock run only the key's hash and equality; they must not come back here.
/// Cost:    to join, a short lock and a wait; to begin, three allocations.
/// Seen in: examples/45_threads_share_a_call.cpp
template <class Key, class Value, class Hash = std::hash<Key>, class Equal = std::equal_to<Key>>
class blocking_single_flight {
public:
    using key_type = Key;
    using value_type = Value;

    explicit blocking_single_flight(Hash hash = {}, Equal equal = {}) : table_(0, std::move(hash), std::move(equal)) {}
    blocking_single_flight(blocking_single_flight const&) = delete;
    blocking_single_flight& operator=(blocking_single_flight const&) = delete;

    template <std::invocable Op>
    [[nodiscard]] result<Value> call(Key const& key, Op&& op, time_point deadline = never);

    /// Operations that have not ended.
    [[nodiscard]] std::size_t in_flight() const
    {
        std::scoped_lock const lock(mutex_);
        return table_.size();
    }

private:
    struct flight {
        std::thread::id const leader = std::this_thread::get_id();
        std::condition_variable landed;
        bool over = false;                    // under the lock; what follows does not change any more
        std::optional<result<Value>> ending;  // or:
        std::exception_ptr thrown;
    };
    using table = std::unordered_map<Key, std::shared_ptr<flight>, Hash, Equal>;

    /// Everybody gets a copy, for others may be reading theirs.
    [[nodiscard]] static result<Value> ending_of(flight const& f)
    {
        if (f.thrown) std::rethrow_exception(f.thrown);
        return *f.ending;
    }

    [[nodiscard]] static result<Value> wait_for(std::unique_lock<std::mutex> lock, std::shared_ptr<flight> f,
                                                time_point deadline);
    void land(Key const& key, flight& f);

    mutable std::mutex mutex_;
    table table_;
};

// ---------------------------------------------------------------------------------------------------------------------

template <class Key, class Value, class Hash, class Equal>
template <std::invocable Op>
result<Value> blocking_single_flight<Key, Value, Hash, Equal>::call(Key const& key, Op&& op, time_point deadline)
{
    using returned = std::remove_cvref_t<std::invoke_result_t<Op&&>>;
    static_assert(std::same_as<returned, result<Value>> || std::convertible_to<returned, Value>,
                  "weir::blocking_single_flight::call: op returns a Value or a weir::result<Value>");
    std::shared_ptr<flight> mine;
    {
        std::unique_lock<std::mutex> lock(mutex_);
        if (auto const at = table_.find(key); at != table_.end())
            return wait_for(std::move(lock), at->second, deadline);
        lock.unlock();
        table made(1, table_.hash_function(), table_.key_eq());  // the key is copied without the lock
        mine = std::make_shared<flight>();
        made.emplace(key, mine);
        auto node = made.extract(made.begin());
        lock.lock();
        auto const entered = table_.insert(std::move(node));
        if (!entered.inserted) return wait_for(std::move(lock), entered.position->second, deadline);
    }
    try {
        mine->ending.emplace(std::forward<Op>(op)());
    } catch (...) {
        mine->thrown = std::current_exception();
    }
    land(key, *mine);
    return ending_of(*mine);
}

template <class Key, class Value, class Hash, class Equal>
result<Value> blocking_single_flight<Key, Value, Hash, Equal>::wait_for(std::unique_lock<std::mutex> lock,
                                                                        std::shared_ptr<flight> f, time_point deadline)
{
    if (f->leader == std::this_thread::get_id())
        return error(std::make_error_code(std::errc::resource_deadlock_would_occur));
    auto const over = [&] { return f->over; };
    if (deadline == never)
        f->landed.wait(lock, over);
    else if (!f->landed.wait_until(lock, deadline, over))
        return error(errc::deadline_exceeded);
    lock.unlock();
    return ending_of(*f);
}

template <class Key, class Value, class Hash, class Equal>
void blocking_single_flight<Key, Value, Hash, Equal>::land(Key const& key, flight& f)
{
    typename table::node_type ended;  // its key goes without the lock
    {
        std::scoped_lock const lock(mutex_);
        f.over = true;
        ended = table_.extract(key);
    }
    f.landed.notify_all();
}

}  // namespace weir
