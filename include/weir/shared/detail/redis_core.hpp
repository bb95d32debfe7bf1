// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/completion.hpp>
#include <weir/async/timer_queue.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/random.hpp>
#include <weir/registry/detail/secret_file.hpp>
#include <weir/registry/secret.hpp>
#include <weir/shared/detail/redis_reader.hpp>
#include <weir/shared/limit_store.hpp>
#include <weir/shared/redis_options.hpp>
#include <weir/shared/redis_reply.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::detail {

/// Somebody who waits for a reply, of whatever type.
class redis_waiter {
public:
    virtual ~redis_waiter() = default;
    virtual void end(boost::system::error_code ec, redis_reply reply) = 0;
};

template <class Handler>
class redis_waiter_of final : public redis_waiter {
public:
    redis_waiter_of(Handler&& handler, asio::any_io_executor const& strand)
        : handler_(std::move(handler)), work_(handler_, strand)
    {
    }

    void end(boost::system::error_code ec, redis_reply reply) override
    {
        using values = std::tuple<boost::system::error_code, redis_reply>;
        completion<Handler, asio::any_io_executor, values>(std::move(handler_), std::move(work_),
                                                           values(ec, std::move(reply)))
            .deliver();
    }

private:
    Handler handler_;
    completion_work<Handler, asio::any_io_executor> work_;
};

/// What a redis_link and all that is pending for it share. All of it runs on one strand.
///
/// Commands go out in the order they come; what comes while a write is under way leaves together in the next one, so
/// under load a write carries many, and nobody waits for a window to fill. Replies come in the same order: a reply that
/// is overdue holds up all behind it, hence it ends the connection. Whatever ends a connection ends all its commands;
/// which of them were executed is not known.
///
/// Commands are the connection's, and that is owned by what is pending on it alone: they may hold what holds the link, and
/// go when its context does.
template <class Transport>
class redis_core final : public std::enable_shared_from_this<redis_core<Transport>>, timer_queue::node {
public:
    redis_core(asio::any_io_executor strand, redis_server server, redis_options const& o, Transport transport)
        : strand_(std::move(strand)),
          queue_(timer_queue::of(strand_)),
          server_(std::move(server)),
          options_(o),
          transport_(std::move(transport))
    {
    }

    [[nodiscard]] asio::any_io_executor const& strand() const noexcept { return strand_; }
    [[nodiscard]] bool connected() const noexcept { return connected_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t connections() const noexcept { return connections_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t writes() const noexcept { return writes_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t next_id() noexcept { return ids_.fetch_add(1, std::memory_order_relaxed) + 1; }

    void submit(std::string wire, std::uint64_t id, std::unique_ptr<redis_waiter> waiter)
    {
        if (at_ == at::stopped) return waiter->end(std::error_code(make_error_code(errc::stopped)), {});
        if (at_ == at::idle) connect();
        auto const c = link_.lock();
        if (!c) return waiter->end(std::error_code(store_errc::unavailable), {});  // it rests
        if (c->pending.size() >= options_.max_pending)
            return waiter->end(std::error_code(make_error_code(errc::too_many_calls)), {});
        c->out += wire;
        c->pending.push_back({id, later(queue_.now(), options_.timeout), std::move(waiter)});
        arm();
        if (at_ != at::ready || c->writing) return;
        c->writing = true;
        asio::post(strand_, [self = this->shared_from_this(), c] {
            if (self->current(c)) self->write(*c);
        });
    }

    void cancel(std::uint64_t id)
    {
        auto const on = link_.lock();
        if (!on) return;
        for (auto& c : on->pending)
            if (c.id == id && c.waiter)
                return std::exchange(c.waiter, nullptr)->end(asio::error::operation_aborted, {});
    }

    void stop()
    {
        at_ = at::stopped;
        if (armed_for_ != never && queue_.remove(*this)) {
            armed_for_ = never;
            while_armed_.reset();
        }
        drop(std::error_code(make_error_code(errc::stopped)));
    }

private:
    using tcp = asio::ip::tcp;
    using error_code = boost::system::error_code;
    using stream_type = typename Transport::template stream<asio::any_io_executor>;

    enum class at : std::uint8_t { idle, connecting, greeting, ready, resting, stopped };

    struct command {
        std::uint64_t id = 0;
        time_point due{};
        std::unique_ptr<redis_waiter> waiter;  // null: nobody waits any more, its reply is thrown away
    };

    struct connection : std::enable_shared_from_this<connection> {
        connection(stream_type s, std::size_t max_bytes, asio::any_io_executor const& strand)
            : stream(std::move(s)), reader(max_bytes), resolver(strand)
        {
        }
        stream_type stream;
        redis_reader reader;
        asio::ip::basic_resolver<tcp, asio::any_io_executor> resolver;
        std::array<char, 16384> in{};
        std::string out, sending;  // what comes while a write is under way, and what is in it
        std::deque<command> pending;
        bool writing = false;
    };
    using link = std::shared_ptr<connection>;

    [[nodiscard]] bool current(link const& c) const noexcept { return c == link_.lock(); }

    /// A handler of something pending on a connection, which it owns: called only while that is still the connection.
    template <class Then>
    auto step(connection& on, Then then)
    {
        return [self = this->shared_from_this(), c = on.shared_from_this(), then](error_code ec, auto&&... values) {
            if (self->current(c)) (self.get()->*then)(*c, ec, std::forward<decltype(values)>(values)...);
        };
    }

    void connect()
    {
        auto const c =
            std::make_shared<connection>(transport_.open(strand_, server_.host), options_.max_reply_bytes, strand_);
        link_ = c;
        at_ = at::connecting;
        due_ = later(queue_.now(), options_.connect_timeout);
        arm();
        error_code not_an_address;
        auto const address = asio::ip::make_address(server_.host, not_an_address);
        if (!not_an_address)
            return c->stream.lowest_layer().async_connect(tcp::endpoint(address, server_.port),
                                                          step(*c, &redis_core::reached));
        c->resolver.async_resolve(server_.host, std::to_string(server_.port), tcp::resolver::numeric_service,
                                  step(*c, &redis_core::resolved));
    }

    void resolved(connection& c, error_code ec, typename tcp::resolver::results_type const& found)
    {
        if (ec) return lost(ec);
        asio::async_connect(
            c.stream.lowest_layer(), found,
            [next = step(c, &redis_core::reached)](error_code e, tcp::endpoint const&) mutable { next(e); });
    }

    void reached(connection& c, error_code ec)
    {
        if (ec) return lost(ec);
        error_code ignored;
        c.stream.lowest_layer().set_option(tcp::no_delay(true), ignored);
        if constexpr (Transport::handshakes)
            transport_.async_handshake(c.stream, step(c, &redis_core::greet));
        else
            greet(c, ec);
    }

    void greet(connection& c, error_code ec)
    {
        if (ec) return lost(ec);
        if (!write_greeting(c.sending)) return lost(std::error_code(store_errc::refused));
        connections_.fetch_add(1, std::memory_order_relaxed);
        read(c);
        if (greetings_left_ == 0) return become_ready(c);
        at_ = at::greeting;
        ++greetings_left_;  // their replies, and that they are out
        asio::async_write(c.stream, asio::buffer(c.sending), step(c, &redis_core::greeted));
    }
    // AUTH and SELECT, as far as there is need; how many are in greetings_left_. False: there should be a password.
    bool write_greeting(std::string& out)
    {
        greetings_left_ = 0;
        auto password = options_.password;
        if (!options_.password_file.empty()) {
            auto read = registry::detail::read_secret_file(options_.password_file);
            if (!read) return false;
            password = registry::secret(*std::move(read));
        }
        if (!password.empty()) {
            std::vector<std::string_view> words{"AUTH"};
            if (!options_.user.empty()) words.push_back(options_.user);
            words.push_back(password.reveal());
            out += redis_command(words);
            ++greetings_left_;
        }
        if (options_.database != 0) {
            out += redis_command({"SELECT", std::to_string(options_.database)});
            ++greetings_left_;
        }
        return true;
    }
    void greeted(connection& c, error_code ec, std::size_t)
    {
        if (ec) return lost(ec);
        if (--greetings_left_ == 0) become_ready(c);
    }

    void become_ready(connection& c)
    {
        at_ = at::ready;
        due_ = never;
        connected_.store(true, std::memory_order_relaxed);
        arm();
        c.writing = true;
        write(c);
    }

    void write(connection& c)
    {
        if (c.out.empty()) {
            c.writing = false;
            return;
        }
        c.sending.clear();
        c.sending.swap(c.out);
        writes_.fetch_add(1, std::memory_order_relaxed);
        asio::async_write(c.stream, asio::buffer(c.sending), step(c, &redis_core::written));
    }
    void written(connection& c, error_code ec, std::size_t)
    {
        if (ec) return lost(ec);
        write(c);
    }

    void read(connection& c) { c.stream.async_read_some(asio::buffer(c.in), step(c, &redis_core::came)); }

    void came(connection& c, error_code ec, std::size_t bytes)
    {
        if (ec) return lost(ec == asio::error::eof ? error_code(std::error_code(store_errc::unavailable)) : ec);
        if (!c.reader.feed({c.in.data(), bytes})) return lost(std::error_code(store_errc::bad_answer));
        for (;;) {
            std::optional<redis_reply> reply;
            if (auto const bad = c.reader.next(reply)) return lost(bad);
            if (!reply) break;
            if (!take(c, *std::move(reply))) return;
        }
        arm();
        read(c);
    }

    /// False: that was the end of the connection.
    bool take(connection& c, redis_reply reply)
    {
        auto const v = reply.value();
        if (at_ == at::greeting) {
            if (v.is_error()) return lost(std::error_code(store_errc::refused)), false;
            if (--greetings_left_ == 0) become_ready(c);
            return true;
        }
        if (c.pending.empty()) return lost(std::error_code(store_errc::bad_answer)), false;
        // A replica, or a master that has become one: its name may lead elsewhere by now.
        bool const elsewhere = v.is_error() && v.text().starts_with("READONLY");
        failures_ = 0;
        rest_ = {};
        auto waiter = std::move(c.pending.front().waiter);
        c.pending.pop_front();
        if (waiter) waiter->end({}, std::move(reply));
        if (elsewhere) return lost(std::error_code(store_errc::unavailable)), false;
        return true;
    }

    /// The connection is gone, or was never made: all that waits ends, and there is a pause before the next.
    void lost(error_code why)
    {
        at_ = at::resting;
        rest_ = options_.reconnect.delay(++failures_, rest_, thread_random());
        due_ = later(queue_.now(), rest_);
        drop(why);
        arm();
    }

    void drop(error_code why)
    {
        connected_.store(false, std::memory_order_relaxed);
        auto const gone = std::exchange(link_, {}).lock();
        if (!gone) return;
        error_code ignored;
        gone->resolver.cancel();
        gone->stream.lowest_layer().close(ignored);
        for (auto& c : std::exchange(gone->pending, {}))
            if (c.waiter) c.waiter->end(why, {});
    }

    // When the oldest command's reply is overdue.
    [[nodiscard]] time_point overdue() const noexcept
    {
        auto const c = link_.lock();
        return c && !c->pending.empty() ? c->pending.front().due : never;
    }

    void arm()
    {
        if (at_ == at::stopped) return;
        auto const next = std::min(due_, overdue());
        if (next >= armed_for_) return;  // woken too early, it looks again
        if (armed_for_ != never && !queue_.remove(*this)) return;
        armed_for_ = next;
        while_armed_ = this->shared_from_this();
        queue_.insert(*this, next, strand_);
    }

    // From whichever thread runs the queue. Until `tick` has run, `armed_for_` keeps everybody else from the node.
    void expired() noexcept override
    {
        auto self = std::move(while_armed_);
        auto const strand = strand_;
        asio::post(strand, [self = std::move(self)] { self->tick(); });
    }
    void abandoned() noexcept override { auto const last = std::move(while_armed_); }

    void tick()
    {
        armed_for_ = never;
        if (at_ == at::stopped) return;
        auto const now = queue_.now();
        if (at_ == at::resting && now >= due_) {
            due_ = never;
            connect();
        } else if (due_ != never && now >= due_) {
            lost(asio::error::timed_out);
        } else if (overdue() <= now) {
            lost(std::error_code(make_error_code(errc::attempt_timed_out)));
        }
        arm();
    }

    asio::any_io_executor const strand_;
    timer_queue& queue_;
    redis_server const server_;
    redis_options const options_;
    Transport transport_;
    unsigned greetings_left_ = 0;

    at at_ = at::idle;
    std::weak_ptr<connection> link_;
    unsigned failures_ = 0;
    duration rest_{};
    time_point due_ = never;  // of the connection in the making, or the end of a rest
    time_point armed_for_ = never;
    std::shared_ptr<redis_core> while_armed_;
    std::atomic<bool> connected_{false};
    std::atomic<std::uint64_t> connections_{0}, writes_{0}, ids_{0};
};

}  // namespace weir::detail
