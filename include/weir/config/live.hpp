// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace weir::config {

/// A value that a document changes while others read it: a time limit, a backoff, a list of names; whatever has no
/// `reconfigure` of its own because it is copied into each call.
///
///   weir::config::live<weir::duration> patience(300ms, [](weir::duration d) { weir::attempt_timeout{d}; });
///   binding.bind("checkout.patience", patience);
///   ...
///   auto const limit = *patience.get();
///
/// Throws:  construction and reconfigure, what the check throws to refuse a value: std::invalid_argument, with a
///          sentence.
/// Threads: everything, from any thread. The check runs outside the lock.
/// Cost:    `get` is a short lock and a shared count.
/// Seen in: tests/config/live.cpp
template <class T>
class live {
public:
    using options = T;
    using check_function = std::function<void(T const&)>;

    explicit live(T initial = {}, check_function check = {}) : check_(std::move(check))
    {
        if (check_) check_(initial);
        value_ = std::make_shared<T const>(std::move(initial));
    }
    live(live const&) = delete;
    live& operator=(live const&) = delete;

    /// The value as it is now. Hold it to see one version of it.
    [[nodiscard]] std::shared_ptr<T const> get() const
    {
        std::lock_guard const lock(mutex_);
        return value_;
    }

    void reconfigure(T next)
    {
        check(next);
        auto fresh = std::make_shared<T const>(std::move(next));
        std::lock_guard const lock(mutex_);
        value_.swap(fresh);
    }

    void check(T const& value) const
    {
        if (check_) check_(value);
    }

private:
    check_function const check_;
    mutable std::mutex mutex_;
    std::shared_ptr<T const> value_;
};

}  // namespace weir::config
