// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/registry/detail/session.hpp>
#include <weir/registry/keeper.hpp>
#include <weir/registry/watch.hpp>
#include <weir/registry/watcher.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>

namespace weir::registry::detail {

/// What every registry client has.
struct network_options {
    watch_options watch = {};
    lease_options lease = {};
    duration timeout = std::chrono::seconds(5);  ///< of one question that is not a watch's or a lease's
};

/// The face of a registry client, and its base: what users call, made of nothing but sessions. A client is a
/// constructor and a comment:
///
///   class etcd : public detail::network_registry {
///   public:
///       using options = etcd_options;
///       explicit etcd(executor_type executor, options o = {})
///           : network_registry(executor, {.watch = o.watch, .lease = o.lease, .timeout = o.timeout},
///                              [config = ...](asio::any_io_executor strand, duration limit) {
///                                  return detail::etcd_session(strand, config, limit);
///                              })
///       {
///       }
///   };
///
/// `make(strand, limit)` gives a watch_backend, used from that strand only, for each watch, lease or single question;
/// one that is a lease_backend too can register. `limit`: the time limit of each of its questions, 0 where a watcher or
/// keeper holds the clock. What sessions are to share (a connection, a login) the function holds in a shared_ptr.
///
/// Errors:    of the backend; std::errc::operation_not_supported to registrations where there are none.
/// Throws:    std::invalid_argument, naming the field of watch_options or registration.
/// Threads:   any. Copies share everything; watches and leases live on when it is gone.
/// Cancellation: all types.   Cost: nothing here is compiled more than once a program, whatever the backends.
class network_registry {
public:
    using executor_type = asio::any_io_executor;
    using default_token = asio::default_completion_token_t<executor_type>;
    using found = std::shared_ptr<snapshot const>;

    template <class Make>
    network_registry(executor_type executor, network_options o, Make make)
        : core_(std::make_shared<core>(
              std::move(executor), std::move(o),
              [make](executor_type const& strand, duration limit) -> std::unique_ptr<session> {
                  using backend = decltype(make(strand, limit));
                  return std::make_unique<session_for<backend>>(make(strand, limit));
              },
              lease_backend<decltype(make(std::declval<executor_type>(), duration()))>))
    {
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return core_->executor; }

    /// Whether instances can be registered here.
    [[nodiscard]] bool registers() const noexcept { return core_->registers; }

    /// Registers, and keeps that true. Signature: void(boost::system::error_code, lease), as async_keep in keeper.hpp.
    template <class Token = default_token>
    auto async_register(registration r, Token&& token = Token()) const
    {
        return asio::async_initiate<Token, void(boost::system::error_code, lease)>(
            [c = core_](auto handler, registration&& what) {
                enroll(c, std::move(what), erased_handler<lease>(std::move(handler), c->executor));
            },
            token, checked(std::move(r)));
    }

    /// Takes an instance out: by its id and service where the registry needs to know that, as most do but Consul.
    /// Signature: void(boost::system::error_code). No error if it was not there.
    template <class Token = default_token>
    auto async_deregister(registration r, Token&& token = Token()) const
    {
        return asio::async_initiate<Token, void(boost::system::error_code)>(
            [c = core_](auto handler, registration&& what) {
                take_out(c, std::move(what), erased_handler<>(std::move(handler), c->executor));
            },
            token, std::move(r));
    }
    template <class Token = default_token>
    auto async_deregister(std::string id, Token&& token = Token()) const
    {
        registration r;
        r.id = std::move(id);
        return async_deregister(std::move(r), std::forward<Token>(token));
    }

    /// One read. Signature: void(boost::system::error_code, std::shared_ptr<snapshot const>).
    template <class Token = default_token>
    auto async_resolve(query q, Token&& token = Token()) const
    {
        return asio::async_initiate<Token, void(boost::system::error_code, found)>(
            [c = core_](auto handler, query&& what) {
                resolve(c, std::move(what), erased_handler<found>(std::move(handler), c->executor));
            },
            token, std::move(q));
    }

    /// Follows a service. All watches of one query share one conversation, which ends with the last of them; the first
    /// of them may bring a `seed`, see watcher.hpp.
    [[nodiscard]] registry::watch watch(query const& q, found const& seed = {}) const;

private:
    using maker = std::function<std::unique_ptr<session>(executor_type const& strand, duration limit)>;

    struct core {
        core(executor_type e, network_options o, maker m, bool r)
            : executor(std::move(e)), options(std::move(o)), make(std::move(m)), registers(r)
        {
            options.watch.check();
            options.lease.check();
        }
        executor_type const executor;
        network_options options;
        maker const make;
        bool const registers;
        std::mutex mutex;
        std::map<query, watcher::reference> watches;
    };
    using core_pointer = std::shared_ptr<core>;
    using removal = std::tuple<boost::system::error_code>;
    using resolution = std::tuple<boost::system::error_code, found>;

    static void enroll(core_pointer const& c, registration r, erased_handler<lease> done);
    static void take_out(core_pointer const& c, registration r, erased_handler<> done);
    static void resolve(core_pointer const& c, query q, erased_handler<found> done);
    static asio::awaitable<removal> removing(std::unique_ptr<session> s, registration r);
    static asio::awaitable<resolution> resolving(std::unique_ptr<session> s, query q, executor_type strand);

    core_pointer core_;
};

// Bodies

// What a coroutine returned, for a handler.
template <class... Values>
struct coroutine_end {
    using executor_type = asio::any_io_executor;
    using cancellation_slot_type = asio::cancellation_slot;

    erased_handler<Values...> done;

    [[nodiscard]] executor_type get_executor() const noexcept { return done.get_executor(); }
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return done.get_cancellation_slot(); }

    void operator()(std::exception_ptr e, std::tuple<boost::system::error_code, Values...> answer)
    {
        // Cancelled before it began, or out of memory.
        if (e) std::get<0>(answer) = asio::error::operation_aborted;
        std::apply([this](auto... values) { done(std::move(values)...); }, std::move(answer));
    }
};

inline void network_registry::enroll(core_pointer const& c, registration r, erased_handler<lease> done)
{
    if (!c->registers) {
        auto const executor = done.get_executor();
        return asio::post(executor,
                          [done = std::move(done)]() mutable { done(asio::error::operation_not_supported, lease()); });
    }
    executor_type const strand = asio::make_strand(c->executor);
    async_keep(strand, c->make(strand, duration::zero()), std::move(r), c->options.lease, std::move(done));
}

// Each question on a strand of its own. co_spawn brings a cancellation there.
inline void network_registry::take_out(core_pointer const& c, registration r, erased_handler<> done)
{
    executor_type const strand = asio::make_strand(c->executor);
    asio::co_spawn(strand, removing(c->make(strand, c->options.timeout), std::move(r)),
                   coroutine_end<>{std::move(done)});
}

inline void network_registry::resolve(core_pointer const& c, query q, erased_handler<found> done)
{
    executor_type const strand = asio::make_strand(c->executor);
    asio::co_spawn(strand, resolving(c->make(strand, c->options.timeout), std::move(q), strand),
                   coroutine_end<found>{std::move(done)});
}

inline asio::awaitable<network_registry::removal> network_registry::removing(std::unique_ptr<session> s, registration r)
{
    // Cancellation ends the question, and the answer that says so is to be delivered.
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    auto const strand = co_await asio::this_coro::executor;
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    auto work = asio::async_initiate<decltype(token), void(boost::system::error_code, reply)>(
        [&](auto handler) { s->remove(r, reply_handler(std::move(handler), strand)); }, token);
    auto const [ec, said] = co_await std::move(work);
    co_return removal(ec);
}

inline asio::awaitable<network_registry::resolution> network_registry::resolving(std::unique_ptr<session> s, query q,
                                                                                 executor_type strand)
{
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    auto work = asio::async_initiate<decltype(token), void(boost::system::error_code, listing)>(
        [&](auto handler) { s->list(q, listing_handler(std::move(handler), strand)); }, token);
    auto [ec, all] = co_await std::move(work);
    if (ec) co_return resolution(ec, nullptr);
    normalize(all.instances);
    auto now = std::make_shared<snapshot>();
    now->version = 1;
    now->revision = std::move(all.revision);
    now->as_of = weir::now(strand);
    now->instances = std::make_shared<snapshot::list const>(std::move(all.instances));
    co_return resolution(ec, std::move(now));
}

inline registry::watch network_registry::watch(query const& q, found const& seed) const
{
    auto& c = *core_;
    std::lock_guard const lock(c.mutex);
    std::erase_if(c.watches, [](auto const& w) { return w.second.expired(); });
    auto& known = c.watches[q];
    if (auto w = known.subscribe()) return std::move(*w);
    executor_type const strand = asio::make_strand(c.executor);
    watcher fresh(strand, c.make(strand, duration::zero()), q, c.options.watch, random_engine{thread_random()()}, seed);
    known = fresh.refer();
    return fresh.subscribe();
}

}  // namespace weir::registry::detail
