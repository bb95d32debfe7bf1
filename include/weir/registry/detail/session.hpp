// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/lease_backend.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <string>
#include <utility>

namespace weir::registry::detail {

/// A conversation with a registry, of whatever type: always for questions, and for registrations if its backend is a
/// lease_backend too. One that is not answers those with std::errc::operation_not_supported.
class session : public watch_source, public lease_source {};

template <watch_backend Backend>
class session_for final : public session {
public:
    explicit session_for(Backend b) : backend_(std::move(b)) {}

    void list(query const& q, listing_handler done) override { backend_.async_list(q, std::move(done)); }
    void await_change(query const& q, std::string const& revision, listing_handler done) override
    {
        backend_.async_await_change(q, revision, std::move(done));
    }
    void put(registration const& r, reply_handler done) override
    {
        if constexpr (lease_backend<Backend>)
            backend_.async_put(r, std::move(done));
        else
            refuse(std::move(done));
    }
    void beat(registration const& r, health h, reply_handler done) override
    {
        if constexpr (lease_backend<Backend>)
            backend_.async_beat(r, h, std::move(done));
        else
            refuse(std::move(done));
    }
    void remove(registration const& r, reply_handler done) override
    {
        if constexpr (lease_backend<Backend>)
            backend_.async_remove(r, std::move(done));
        else
            refuse(std::move(done));
    }
    [[nodiscard]] duration retry_after() const override { return retry_after_of(backend_); }

private:
    static void refuse(reply_handler done)
    {
        auto const executor = done.get_executor();
        asio::post(executor, [done = std::move(done)]() mutable {
            done(asio::error::operation_not_supported, reply{true, "this registry takes no registrations"});
        });
    }

    Backend backend_;
};

}  // namespace weir::registry::detail
