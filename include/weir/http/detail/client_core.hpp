// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer_queue.hpp>
#include <weir/core/errc.hpp>
#include <weir/http/client_options.hpp>
#include <weir/http/message.hpp>
#include <weir/http/pool.hpp>
#include <weir/http/transport.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/intrusive/list.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace weir::http::detail {

/// A call in flight, as its client sees it.
class client_call_base : public boost::intrusive::list_base_hook<> {
public:
    /// The call ends with `why` as soon as what is pending has let go. Only the first reason counts.
    virtual void abort(boost::system::error_code why) = 0;
    /// Its limit has passed.
    virtual void expire() = 0;

    [[nodiscard]] time_point limit() const noexcept { return limit_; }

protected:
    client_call_base() = default;
    ~client_call_base() = default;

    time_point limit_ = never;
};

template <class Executor, class Transport>
struct connection : pooled {
    typename Transport::template stream<Executor> stream;
    beast::flat_buffer buffer;  // one for the connection's life: what one answer leaves over belongs to no other
    std::string head;           // of the request under way

    explicit connection(typename Transport::template stream<Executor> s) : stream(std::move(s))
    {
        buffer.reserve(4096);  // Beast's first read is otherwise 512 bytes
    }

    [[nodiscard]] auto& socket() noexcept { return beast::get_lowest_layer(stream); }

    void close() noexcept
    {
        boost::system::error_code ignored;
        socket().close(ignored);
    }

    /// True when the peer has neither closed nor said anything. One system call.
    [[nodiscard]] bool quiet() noexcept
    {
        char c;
        boost::system::error_code ec;
        socket().receive(asio::buffer(&c, 1), asio::socket_base::message_peek, ec);
        return ec == asio::error::would_block || ec == asio::error::try_again;
    }
};

/// What a client and its calls share, and what the calls keep alive when the client goes: the pool, and one watch over
/// all deadlines.
///
/// The watch is one node in the context's timer queue, set to the earliest limit seen and left there when that call
/// ends in time, so a call costs it one comparison. When it comes due it looks at every call in flight. Another node is
/// set, as upkeep, to when the oldest idle connection is to be closed.
template <class Executor, class Transport>
class client_core final : public std::enable_shared_from_this<client_core<Executor, Transport>>, timer_queue::node {
public:
    using executor_type = Executor;
    using transport_type = Transport;
    using connection_type = connection<Executor, Transport>;
    using link = std::unique_ptr<connection_type>;

    client_core(Executor executor, client_options o, Transport transport)
        : executor_(std::move(executor)),
          options_((o.check(), std::move(o))),
          transport_(std::move(transport)),
          queue_(timer_queue::of(executor_)),
          pool_({.idle_per_endpoint = options_.max_idle_per_endpoint,
                 .idle = options_.max_idle,
                 .used_per_endpoint = options_.max_connections_per_endpoint,
                 .idle_timeout = options_.idle_timeout})
    {
    }

    [[nodiscard]] executor_type const& get_executor() const noexcept { return executor_; }
    [[nodiscard]] client_options const& options() const noexcept { return options_; }
    [[nodiscard]] Transport const& transport() const noexcept { return transport_; }
    [[nodiscard]] time_point now() const noexcept { return queue_.now(); }
    [[nodiscard]] std::size_t idle() const noexcept { return pool_.idle(); }
    [[nodiscard]] std::size_t in_flight() const noexcept { return calls_.size(); }

    // Connections

    [[nodiscard]] pool_slot* enter(std::string_view host, std::uint16_t port) { return pool_.enter(host, port); }
    void leave(pool_slot& s) noexcept { pool_.leave(s); }

    /// A kept connection, or null. One that cannot be tried twice, or may have been closed meanwhile, is looked at
    /// first: a system call that a busy connection is spared.
    [[nodiscard]] link take(pool_slot& s, bool repeatable, time_point now)
    {
        while (auto l = pool_.take(s, now)) {
            bool const fresh = repeatable && between(l->idle_since(), now) < std::chrono::milliseconds(100);
            if (fresh || l->quiet()) return l;
        }
        return nullptr;
    }

    void keep(pool_slot& s, link l)
    {
        if (stopped_) return;
        pool_.put(s, std::move(l), now());
        tidy_later();
    }

    void close_idle() noexcept { pool_.clear(); }
    void close_idle(pool_slot& s) noexcept { pool_.drop(s); }

    // Calls

    void add(client_call_base& call)
    {
        calls_.push_back(call);
        watch(call.limit());
    }

    void remove(client_call_base& call) noexcept
    {
        calls_.erase(calls_.iterator_to(call));
        if (calls_.empty()) rest();
    }

    /// A call's limit is `limit` now.
    void watch(time_point limit)
    {
        if (limit >= armed_for_) return;
        if (!rest()) return;  // the sweep that is under way looks at all calls, and watches again
        armed_for_ = limit;
        while_armed_ = this->shared_from_this();
        queue_.insert(*this, limit, executor_);
    }

    void stop() noexcept
    {
        stopped_ = true;
        pool_.clear();
        for (auto i = calls_.begin(); i != calls_.end();) (*i++).abort(std::error_code(make_error_code(errc::stopped)));
    }

private:
    // True when the queue holds the node no more; false when its hook has been or is being called, and a sweep will
    // come.
    bool rest() noexcept
    {
        if (armed_for_ == never) return true;
        if (!queue_.remove(*this)) return false;
        armed_for_ = never;
        // Never the last owner: who asks is a call or the client.
        while_armed_.reset();
        return true;
    }

    // Its place in the queue keeps the core, also when the client has gone: the context may have gone with it, so there
    // is nobody to ask to let go.
    struct upkeep final : timer_queue::node {
        explicit upkeep(client_core& c) : core(c) {}
        void expired() noexcept override
        {
            auto self = std::move(while_set);
            auto const executor = core.executor_;
            asio::post(executor, [self = std::move(self)] { self->tidy(); });
        }
        void abandoned() noexcept override { auto const last = std::move(while_set); }

        client_core& core;
        std::shared_ptr<client_core> while_set;
        bool set = false;  // until `tidy` has run
    };

    void tidy_later()
    {
        if (upkeep_.set) return;
        auto const at = pool_.next_expiry();
        if (at == never) return;
        upkeep_.set = true;
        upkeep_.while_set = this->shared_from_this();
        queue_.insert_upkeep(upkeep_, at, executor_);
    }

    void tidy()
    {
        upkeep_.set = false;
        pool_.expire(now());
        tidy_later();
    }

    // From whichever thread runs the queue. Until the sweep has run, `armed_for_` keeps everybody else from the node.
    void expired() noexcept override
    {
        auto self = std::move(while_armed_);
        auto const executor = executor_;  // the sweep may be over before `post` returns
        asio::post(executor, [self = std::move(self)] { self->sweep(); });
    }

    void abandoned() noexcept override { auto const last = std::move(while_armed_); }

    void sweep()
    {
        armed_for_ = never;
        auto const now = queue_.now();
        auto next = never;
        for (auto i = calls_.begin(); i != calls_.end();) {
            auto& call = *i++;
            if (call.limit() <= now)
                call.expire();
            else
                next = std::min(next, call.limit());
        }
        watch(next);
    }

    Executor executor_;
    client_options options_;
    Transport transport_;
    timer_queue& queue_;
    pool<connection_type> pool_;
    boost::intrusive::list<client_call_base> calls_;
    time_point armed_for_ = never;
    std::shared_ptr<client_core> while_armed_;
    upkeep upkeep_{*this};
    bool stopped_ = false;
};

}  // namespace weir::http::detail
