// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/config/document.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/registry/detail/erased_handler.hpp>
#include <weir/retry/backoff.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <concepts>
#include <string>
#include <utility>

namespace weir::config {

/// What a source answered.
struct loaded {
    config::document document;  ///< its `version` is where to wait from
    bool missing = false;       ///< there is no document now; `version` counts all the same
    std::string note = {};      ///< with an error, or where it is missing: what the source said, for people

    friend bool operator==(loaded const&, loaded const&) = default;
};

/// What a conversation is handed: a handler void(boost::system::error_code, loaded) that moves only and has an executor
/// and a cancellation slot. A conversation may take any completion token, but nothing else will be given.
using loaded_handler = registry::detail::erased_handler<loaded>;

/// A conversation with a source, used from one strand, one question at a time. Both operations complete once, never
/// inside themselves, honour terminal cancellation, give a whole document or an error, and know no patience: limits of
/// time, and when to ask again after a failure, are the asker's. The arguments live until completion.
///
///   async_load(done)                    the document, now
///   async_await_change(version, done)   the document once it is another than `version`, or whenever the source's
///                                       patience ends
///
/// A conversation may have `duration await_timeout() const`: how long the longest quiet await takes.
template <class C>
concept conversation = std::move_constructible<C> && requires(C& c, std::string const& version, loaded_handler done) {
    c.async_load(std::move(done));
    c.async_await_change(version, std::move(done));
};

/// Where documents come from: an address and how to speak with it. A plain value; `open` begins a conversation, on the
/// strand it is given.
/// Seen in: tests/config/refresh.cpp
template <class S>
concept source = std::copy_constructible<S> && requires(S const& s, asio::any_io_executor strand) {
    {
        s.open(strand)
    } -> conversation;
};

/// How a source is followed.
struct follow_options {
    /// Time limit of reading the document.
    duration load_timeout = std::chrono::seconds(5);

    /// Time limit of waiting for a change, where the conversation does not say it itself.
    duration await_timeout = std::chrono::seconds(65);

    /// Pause before asking again after a failure.
    weir::backoff backoff =
        exponential(std::chrono::milliseconds(100), std::chrono::seconds(30)).with(jitter::decorrelated);

    /// A conversation that lasted this long starts the backoff afresh.
    duration settled = std::chrono::seconds(10);

    /// Shortest average pause between two questions, with two at once allowed: against sources that wake their readers
    /// for nothing. A change that follows another is seen so much later. 0: no limit.
    duration pace = std::chrono::milliseconds(500);

    /// Throws: std::invalid_argument, naming the first field that is out of range.
    void check() const;
};

namespace detail {

/// A conversation of whatever type.
class any_conversation {
public:
    virtual ~any_conversation() = default;
    virtual void load(loaded_handler done) = 0;
    virtual void await_change(std::string const& version, loaded_handler done) = 0;
    [[nodiscard]] virtual duration await_timeout(duration otherwise) const = 0;
};

template <conversation Conversation>
class conversation_for final : public any_conversation {
public:
    explicit conversation_for(Conversation c) : conversation_(std::move(c)) {}

    void load(loaded_handler done) override { conversation_.async_load(std::move(done)); }
    void await_change(std::string const& version, loaded_handler done) override
    {
        conversation_.async_await_change(version, std::move(done));
    }
    [[nodiscard]] duration await_timeout(duration otherwise) const override
    {
        if constexpr (requires { conversation_.await_timeout(); })
            return conversation_.await_timeout();
        else
            return otherwise;
    }

private:
    Conversation conversation_;
};

}  // namespace detail

// Bodies

inline void follow_options::check() const
{
    using weir::detail::bad_option;
    if (load_timeout <= duration::zero()) bad_option("follow_options.load_timeout", "above 0 ms", load_timeout);
    if (await_timeout <= duration::zero()) bad_option("follow_options.await_timeout", "above 0 ms", await_timeout);
    if (backoff.max() <= duration::zero()) bad_option("follow_options.backoff", "above 0 ms", backoff.max());
    if (settled < duration::zero()) bad_option("follow_options.settled", "at least 0 ms", settled);
    if (pace < duration::zero()) bad_option("follow_options.pace", "at least 0 ms", pace);
}

}  // namespace weir::config
