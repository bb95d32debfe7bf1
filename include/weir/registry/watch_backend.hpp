// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/erased_handler.hpp>
#include <weir/registry/detail/retry_after.hpp>
#include <weir/registry/snapshot.hpp>

#include <concepts>
#include <cstddef>
#include <string>
#include <utility>

namespace weir::registry {

/// A complete answer of a registry.
struct listing {
    snapshot::list instances = {};  ///< in any order
    std::string revision = {};      ///< where to wait from; empty: the registry lost its history, read all again
    std::size_t skipped = 0;        ///< entries that were left out as malformed
    std::string note = {};    ///< what the registry said, for people: with an error why, else a remark. Never a secret
    std::string server = {};  ///< which of several servers was asked; empty: there is but one
};

/// What a watcher hands to a backend: a handler void(boost::system::error_code, listing) that moves only and has an
/// executor and a cancellation slot. A backend may take any completion token, but nothing else will be given.
using listing_handler = detail::erased_handler<listing>;

/// What a watcher needs of a registry. Both operations complete once, never inside themselves; they are called one at a
/// time, honour terminal cancellation, and give a whole answer or an error, never a part of one. The arguments live
/// until completion.
///
///   async_list(q, done)                    everything, now
///   async_await_change(q, revision, done)  everything, once it differs from `revision` or the registry's patience
///   ends. A backend that is told of single changes keeps the set itself, applies all that have come, and gives the
///   whole: the watcher asks again no faster than watch_options.pace, so a burst costs one answer.
///
///   retry_after() const                    if it is there: for how long, a duration from now on, the registry wishes
///   not to be asked, as an answer of 429 or 503 may say. It is looked at after failures.
///
/// A backend knows the protocol and no patience: no retries, no guards, no pauses. It does look after its servers'
/// addresses (detail/http_session.hpp).
/// Seen in: examples/37_your_own_registry.cpp, detail/consul_session.hpp
template <class B>
concept watch_backend =
    std::move_constructible<B> && requires(B& b, query const& q, std::string const& revision, listing_handler done) {
        b.async_list(q, std::move(done));
        b.async_await_change(q, revision, std::move(done));
    };

namespace detail {

/// A watch_backend of whatever type.
class watch_source {
public:
    virtual ~watch_source() = default;
    virtual void list(query const& q, listing_handler done) = 0;
    virtual void await_change(query const& q, std::string const& revision, listing_handler done) = 0;
    [[nodiscard]] virtual duration retry_after() const = 0;
};

template <watch_backend Backend>
class watch_source_for final : public watch_source {
public:
    explicit watch_source_for(Backend b) : backend_(std::move(b)) {}

    void list(query const& q, listing_handler done) override { backend_.async_list(q, std::move(done)); }
    void await_change(query const& q, std::string const& revision, listing_handler done) override
    {
        backend_.async_await_change(q, revision, std::move(done));
    }
    [[nodiscard]] duration retry_after() const override { return retry_after_of(backend_); }

private:
    Backend backend_;
};

}  // namespace detail

}  // namespace weir::registry
