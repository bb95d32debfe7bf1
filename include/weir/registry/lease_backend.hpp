// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/erased_handler.hpp>
#include <weir/registry/detail/retry_after.hpp>
#include <weir/registry/registration.hpp>

#include <concepts>
#include <string>
#include <utility>

namespace weir::registry {

/// A registry's answer to a registration or a heartbeat.
struct reply {
    bool known = true;      ///< false, to a heartbeat: it does not have the instance, or not as ours
    std::string note = {};  ///< with an error, or when not known: what the registry said, for people. Never a secret
};

/// What a keeper hands to a backend: a handler void(boost::system::error_code, reply); see listing_handler.
using reply_handler = detail::erased_handler<reply>;

/// What keeping a registration needs of a registry. The operations complete once, never inside themselves, are called
/// one at a time and honour terminal cancellation. errc::registry_refused: asking again as things are will not help.
///
///   async_put(r, done)            have this instance, whether or not you had it, in place of what you had
///   async_beat(r, health, done)   it is alive, and in this state
///   async_remove(r, done)         forget it; no error if it is not there. Asked on behalf of people who know no more
///                                 than an id, all else in `r` is empty: a registry that needs the service's name too
///                                 answers std::errc::invalid_argument
///   retry_after() const           if it is there: see watch_backend
template <class B>
concept lease_backend =
    std::move_constructible<B> && requires(B& b, registration const& r, health h, reply_handler done) {
        b.async_put(r, std::move(done));
        b.async_beat(r, h, std::move(done));
        b.async_remove(r, std::move(done));
    };

namespace detail {

/// A lease_backend of whatever type.
class lease_source {
public:
    virtual ~lease_source() = default;
    virtual void put(registration const& r, reply_handler done) = 0;
    virtual void beat(registration const& r, health h, reply_handler done) = 0;
    virtual void remove(registration const& r, reply_handler done) = 0;
    [[nodiscard]] virtual duration retry_after() const = 0;
};

template <lease_backend Backend>
class lease_source_for final : public lease_source {
public:
    explicit lease_source_for(Backend b) : backend_(std::move(b)) {}

    void put(registration const& r, reply_handler done) override { backend_.async_put(r, std::move(done)); }
    void beat(registration const& r, health h, reply_handler done) override
    {
        backend_.async_beat(r, h, std::move(done));
    }
    void remove(registration const& r, reply_handler done) override { backend_.async_remove(r, std::move(done)); }
    [[nodiscard]] duration retry_after() const override { return retry_after_of(backend_); }

private:
    Backend backend_;
};

}  // namespace detail

}  // namespace weir::registry
