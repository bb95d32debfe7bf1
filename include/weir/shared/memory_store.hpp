// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer_queue.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/shared/detail/shared_gcra.hpp>
#include <weir/shared/limit_store.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/post.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>

namespace weir {

/// A limit_store inside this process: for tests, examples, and several limiters of one process. Counts on the time of
/// its executor's context.
/// Refuses: store_errc::unavailable for a new key when `max_keys` owe something.
/// Threads: any. Lifetimes: its context outlives it.   Cost: a short lock and a post.
/// Seen in: examples/33_shared_limit.cpp
class memory_store {
public:
    explicit memory_store(asio::any_io_executor executor, std::size_t max_keys = 1'000'000)
        : executor_(std::move(executor)), queue_(timer_queue::of(executor_)), max_keys_(max_keys)
    {
        if (max_keys == 0) detail::bad_option("memory_store.max_keys", "at least 1", max_keys);
    }

    template <class Handler>
    void async_acquire(permit_request const& r, Handler&& handler)
    {
        permit_grant g;
        auto const ec = grant(r, g);
        asio::post(executor_, asio::append(std::forward<Handler>(handler), boost::system::error_code(ec), g));
    }

    template <class Handler>
    void async_give_back(permit_return const& r, Handler&& handler)
    {
        {
            std::scoped_lock const lock(mutex_);
            if (auto const found = keys_.find(r.key); found != keys_.end()) found->second.give_back(r, now());
        }
        asio::post(executor_, asio::append(std::forward<Handler>(handler), boost::system::error_code()));
    }

    /// Keys that owed something when they were last looked at.
    [[nodiscard]] std::size_t keys() const
    {
        std::scoped_lock const lock(mutex_);
        return keys_.size();
    }

private:
    [[nodiscard]] double now() const noexcept
    {
        return static_cast<double>(queue_.now().time_since_epoch() / std::chrono::microseconds(1));
    }

    std::error_code grant(permit_request const& r, permit_grant& g)
    {
        std::scoped_lock const lock(mutex_);
        auto found = keys_.find(r.key);
        if (found == keys_.end()) {
            if (keys_.size() >= max_keys_)
                std::erase_if(keys_, [t = now()](auto const& k) { return k.second.idle(t); });
            if (keys_.size() >= max_keys_) return store_errc::unavailable;
            found = keys_.try_emplace(r.key).first;
        }
        g = found->second.acquire(r, now());
        return {};
    }

    asio::any_io_executor executor_;
    timer_queue& queue_;
    std::size_t max_keys_;
    mutable weir::mutex mutex_;
    std::unordered_map<std::string, detail::shared_gcra> keys_;
};

}  // namespace weir
