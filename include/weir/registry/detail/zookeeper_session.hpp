// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/network_registry.hpp>
#include <weir/registry/detail/zookeeper_talk.hpp>
#include <weir/registry/lease_backend.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>

#include <memory>
#include <string>
#include <utility>

namespace weir::registry::detail {

/// One conversation with an ensemble of ZooKeeper, a session of its own: a watch_backend and a lease_backend. The
/// session's timeout is the lease's TTL, its heartbeats keep it, and its end takes the ephemeral node away.
/// Threads: everything on the strand it was made for.
class zookeeper_session {
    using talk = zookeeper_talk;

public:
    using config_pointer = std::shared_ptr<zookeeper_config const>;

    /// `limit`: the session is for one question, which may take this long; 0: for many, somebody else holds the clock.
    zookeeper_session(asio::any_io_executor strand, config_pointer c, duration limit)
        : talk_(std::make_shared<talk>(std::move(strand), std::move(c), limit))
    {
        talk_->listen();
    }

    void async_list(query const& q, listing_handler done)
    {
        start<query, listing>([](talk& t, query const& w, listing& said) { return t.list(w, said); }, q,
                              std::move(done));
    }
    void async_await_change(query const& q, std::string const&, listing_handler done)
    {
        start<query, listing>([](talk& t, query const& w, listing& said) { return t.await_change(w, said); }, q,
                              std::move(done));
    }
    void async_put(registration const& r, reply_handler done)
    {
        start<registration, reply>([](talk& t, registration const& w, reply& said) { return t.put(w, said); }, r,
                                   std::move(done));
    }
    void async_beat(registration const& r, health h, reply_handler done)
    {
        talk_->beat_state = h;
        start<registration, reply>([](talk& t, registration const& w, reply& said) { return t.beat(w, said); }, r,
                                   std::move(done));
    }
    void async_remove(registration const& r, reply_handler done)
    {
        start<registration, reply>([](talk& t, registration const& w, reply& said) { return t.remove(w, said); }, r,
                                   std::move(done));
    }

private:
    template <class What, class Said>
    void start(asio::awaitable<bool> (*step)(talk&, What const&, Said&), What const& what, erased_handler<Said> done)
    {
        auto const executor = talk_->executor;
        asio::co_spawn(executor, talk::run(talk_, step, what), coroutine_end<Said>{std::move(done)});
    }

    std::shared_ptr<talk> talk_;
};

static_assert(watch_backend<zookeeper_session> && lease_backend<zookeeper_session>);

}  // namespace weir::registry::detail
