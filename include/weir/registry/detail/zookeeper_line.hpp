// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/endpoint.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/random.hpp>
#include <weir/registry/detail/cancelled.hpp>
#include <weir/registry/detail/zookeeper_frames.hpp>
#include <weir/registry/detail/zookeeper_stream.hpp>
#include <weir/registry/secret.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// What a line needs to know of an ensemble.
struct zookeeper_access {
    std::vector<endpoint> servers;
    std::string user;
    secret password;
    duration connect_timeout{};
    zookeeper_stream_maker open;
};

struct zookeeper_answer {
    zk_error error = zk_error::none;
    std::string body = {};
};

/// A session of ZooKeeper over one connection after another. A lost connection does not lose the session: the next
/// `connect` resumes it, with another server after a failure, unless the ensemble has given it up. While somebody waits
/// for a frame, the server is pinged each third of the session's timeout, and is lost when it says nothing for two.
/// Threads: everything on the strand, one coroutine at a time. A cancelled question costs the connection; a cancelled
/// `wait` does not.
class zookeeper_line : public std::enable_shared_from_this<zookeeper_line> {
public:
    zookeeper_line(asio::any_io_executor const& strand, std::shared_ptr<zookeeper_access const> access,
                   std::function<void(zk_event const&)> on_event)
        : access_(std::move(access)),
          on_event_(std::move(on_event)),
          // Not all clients of an ensemble at its first member.
          server_(uniform_below(thread_random(), access_->servers.size())),
          strand_(strand),
          resolver_(strand),
          clock_(strand)
    {
    }

    [[nodiscard]] bool open() const noexcept { return open_; }
    [[nodiscard]] std::int64_t session() const noexcept { return session_.id; }
    [[nodiscard]] std::int64_t zxid() const noexcept { return zxid_; }
    [[nodiscard]] duration granted() const noexcept { return timeout_; }
    [[nodiscard]] time_point now() const noexcept { return clock_.now(); }

    /// No question is waited for longer.
    void limit(time_point deadline) noexcept { deadline_ = deadline; }

    /// Why the last operation failed.
    [[nodiscard]] boost::system::error_code error() const noexcept { return error_; }
    [[nodiscard]] std::string const& why() const noexcept { return why_; }

    /// Connected when it returns true: the session is the one there was, if that is still there, else a new one.
    asio::awaitable<bool> connect(duration session_timeout);

    /// Sends frames with the numbers from `first`, and reads the answers to them. False: the connection is lost.
    asio::awaitable<bool> ask(std::string frames, std::int32_t first, std::size_t count,
                              std::vector<zookeeper_answer>& answers);

    /// The number of the next question.
    [[nodiscard]] std::int32_t next_xid() noexcept
    {
        last_xid_ = last_xid_ == std::numeric_limits<std::int32_t>::max() ? 1 : last_xid_ + 1;
        return last_xid_;
    }

    /// Waits for something to come that is no answer, until `until`. False: the connection is lost, or it was
    /// cancelled.
    asio::awaitable<bool> wait(time_point until);

    /// Closes the connection; the next server is asked next.
    void drop(boost::system::error_code ec, std::string why);

    /// Ends the session, as far as that takes no waiting: what it has is gone at once.
    void end_session()
    {
        if (open_) say(write_zk_plain(next_xid(), zk_op::close));
        drop(asio::error::operation_aborted, {});
        session_ = {};
    }

private:
    enum class handshake : std::uint8_t { done, expired, failed };
    asio::awaitable<handshake> greet(endpoint server, duration session_timeout);
    asio::awaitable<bool> sign_in(time_point until);
    // Nothing: `until` has come, it was cancelled, or the connection was lost.
    asio::awaitable<std::optional<std::string>> next_frame(time_point until);
    // What came is no answer to a question: an event, a ping's answer, or an answer that nobody waits for any more.
    bool take_aside(zk_reply const& r);
    void arm(time_point until);
    void tick();
    void say(std::string const& frame);

    std::shared_ptr<zookeeper_access const> access_;
    std::function<void(zk_event const&)> on_event_;
    std::uint64_t server_;
    asio::any_io_executor strand_;
    asio::ip::tcp::resolver resolver_;
    std::unique_ptr<zookeeper_stream> stream_;
    weir::timer clock_;
    zk_splitter splitter_;
    std::array<char, 16384> buffer_;
    zk_session_id session_;
    duration timeout_{};
    std::int64_t zxid_ = 0;
    std::int32_t last_xid_ = 0;
    time_point heard_{}, spoke_{}, until_{}, deadline_ = never;
    std::optional<time_point> turned_away_since_;
    std::uint64_t tick_ = 0;
    boost::system::error_code error_;
    std::string why_;
    bool open_ = false;
    bool over_ = false;    // `until` has come
    bool silent_ = false;  // the server has not been heard for too long
};

// Bodies

inline void zookeeper_line::drop(boost::system::error_code ec, std::string why)
{
    resolver_.cancel();
    if (stream_) stream_->close();
    splitter_ = {};
    ++tick_;
    clock_.cancel();
    open_ = false;
    error_ = ec;
    why_ = why.empty() ? ec.message() : std::move(why);
    ++server_;
}

// Of a few bytes, without waiting: where these do not go out at once, nothing has gone out for long.
inline void zookeeper_line::say(std::string const& frame)
{
    if (stream_->say(frame)) return void(spoke_ = now());
    silent_ = true;
    stream_->close();
}

inline void zookeeper_line::arm(time_point until)
{
    until_ = until;
    auto at = until;
    if (open_) at = std::min({at, later(spoke_, timeout_ / 3), later(heard_, timeout_ / 3 * 2)});
    clock_.async_wait_until(at, [weak = weak_from_this(), mine = ++tick_](boost::system::error_code ec) {
        auto const self = weak.lock();
        if (!ec && self && self->tick_ == mine) self->tick();
    });
}

inline void zookeeper_line::tick()
{
    auto const t = now();
    over_ = t >= until_;
    silent_ = open_ && t >= later(heard_, timeout_ / 3 * 2);
    if (over_ || silent_) {
        resolver_.cancel();
        if (stream_) stream_->cancel();
        return;
    }
    say(write_zk_plain(static_cast<std::int32_t>(zk_xid::ping), zk_op::ping));
    if (stream_->is_open()) arm(until_);
}

inline asio::awaitable<std::optional<std::string>> zookeeper_line::next_frame(time_point until)
{
    auto const self = shared_from_this();
    for (;;) {
        if (auto frame = splitter_.next()) co_return frame;
        if (splitter_.broken()) {
            drop(make_error_code(errc::bad_document), "a frame of an impossible length");
            co_return std::nullopt;
        }
        bool const stopped = co_await cancelled();
        if (stopped) {
            error_ = asio::error::operation_aborted;
            co_return std::nullopt;
        }
        over_ = silent_ = false;
        arm(until);
        auto const [ec, size] = co_await stream_->read(asio::buffer(buffer_));
        ++tick_;
        clock_.cancel();
        if (!ec) {
            heard_ = now();
            splitter_.push({buffer_.data(), size});
        } else if (silent_) {
            drop(make_error_code(errc::registry_unavailable), "the server has gone silent");
            co_return std::nullopt;
        } else if (over_ || (ec == asio::error::operation_aborted && stream_->is_open())) {
            error_ = ec;
            co_return std::nullopt;
        } else {
            drop(ec, {});
            co_return std::nullopt;
        }
    }
}

inline bool zookeeper_line::take_aside(zk_reply const& r)
{
    zxid_ = std::max(zxid_, r.zxid);
    if (r.xid != static_cast<std::int32_t>(zk_xid::event)) return true;
    auto const e = read_zk_event(r.body);
    if (e) on_event_(*e);
    return e.has_value();
}

inline asio::awaitable<bool> zookeeper_line::ask(std::string frames, std::int32_t first, std::size_t count,
                                                 std::vector<zookeeper_answer>& answers)
{
    auto const self = shared_from_this();
    auto const [failed, written] = co_await stream_->write(asio::buffer(frames));
    spoke_ = now();
    if (failed) {
        drop(failed, {});
        co_return false;
    }
    auto expected = first;
    while (count > 0) {
        auto const frame = co_await next_frame(deadline_);
        if (!frame) {
            // What is to come yet would be taken for later answers.
            if (open_ && over_) drop(make_error_code(errc::registry_unavailable), "no answer in time");
            if (open_) drop(error_, {});  // cancelled
            co_return false;
        }
        auto const r = read_zk_reply(*frame);
        bool const ours = r && r->xid == expected;
        if (!r || (!ours && (r->xid > 0 || !take_aside(*r)))) {
            drop(make_error_code(errc::bad_document), "an answer to no question");
            co_return false;
        }
        if (!ours) continue;
        zxid_ = std::max(zxid_, r->zxid);
        answers.push_back({r->error, std::string(r->body)});
        expected = expected == std::numeric_limits<std::int32_t>::max() ? 1 : expected + 1;
        --count;
    }
    co_return true;
}

inline asio::awaitable<bool> zookeeper_line::wait(time_point until)
{
    auto const frame = co_await next_frame(until);
    if (!frame) co_return open_&& over_;
    auto const r = read_zk_reply(*frame);
    if (r && r->xid < 0 && take_aside(*r)) co_return true;
    drop(make_error_code(errc::bad_document), "an answer to no question");
    co_return false;
}

inline asio::awaitable<bool> zookeeper_line::connect(duration session_timeout)
{
    auto const self = shared_from_this();
    auto const& servers = access_->servers;
    for (std::size_t tries = 0; tries < servers.size(); ++tries) {
        bool const stopped = co_await cancelled();
        if (stopped) {
            error_ = asio::error::operation_aborted;
            co_return false;
        }
        auto result = co_await greet(servers[server_ % servers.size()], session_timeout);
        if (result == handshake::expired) {
            session_ = {};
            --server_;
            result = co_await greet(servers[server_ % servers.size()], session_timeout);
        }
        if (result == handshake::done) co_return true;
        if (error_ == errc::registry_refused || now() >= deadline_) break;
    }
    co_return false;
}

inline asio::awaitable<zookeeper_line::handshake> zookeeper_line::greet(endpoint server, duration session_timeout)
{
    auto const until = std::min(deadline_, later(now(), access_->connect_timeout));
    auto const fail = [&](boost::system::error_code ec, std::string const& why) {
        if (over_) ec = make_error_code(errc::registry_unavailable);
        drop(ec, (over_ ? "no answer" : why.empty() ? ec.message() : why) + ", from " + server.id);
        return handshake::failed;
    };
    boost::system::error_code ec;
    stream_ = access_->open(strand_, server.host);
    splitter_ = {};
    over_ = false;
    asio::ip::tcp::endpoint to(asio::ip::make_address(server.host, ec), server.port);
    arm(until);
    if (ec) {
        auto const [unknown, found] =
            co_await resolver_.async_resolve(server.host, std::to_string(server.port), quietly);
        if (unknown) co_return fail(unknown, {});
        to = found.begin()->endpoint();
    }
    bool const stopped = co_await cancelled();
    if (stopped) co_return fail(asio::error::operation_aborted, {});
    auto const [refused, none] = co_await stream_->connect(to);
    if (refused) co_return fail(refused, {});
    bool const left = co_await cancelled();
    if (left) co_return fail(asio::error::operation_aborted, {});
    arm(until);  // again: it may have come between the two, when nobody was there to hear it
    auto const [unproven, nothing] = co_await stream_->handshake();
    if (unproven) co_return fail(unproven, {});

    auto const ms = std::chrono::ceil<std::chrono::milliseconds>(session_timeout).count();
    auto const hello = write_zk_connect(zxid_, static_cast<std::int32_t>(ms), session_);
    auto const [failed, written] = co_await stream_->write(asio::buffer(hello));
    if (failed) co_return fail(failed, {});
    auto const frame = co_await next_frame(until);
    if (!frame) {
        // Without a word: the server is not ready, or it knows less than we have seen. The latter may be for ever, when
        // its memory was lost; so after a while what we have seen is not held against it.
        if (error_ == asio::error::eof && zxid_ != 0) {
            if (!turned_away_since_) turned_away_since_ = now();
            if (between(*turned_away_since_, now()) >= timeout_) zxid_ = 0;
        }
        co_return fail(error_, error_ == asio::error::eof ? "the server does not take us now" : "");
    }
    auto const c = read_zk_connected(*frame);
    if (!c) co_return fail(make_error_code(errc::bad_document), "no answer of a ZooKeeper");
    if (c->timeout_ms == 0) {
        drop(make_error_code(errc::registry_unavailable), "the session has expired");
        co_return session_.id != 0 ? handshake::expired : handshake::failed;
    }
    turned_away_since_.reset();
    session_ = c->session;
    timeout_ = std::chrono::milliseconds(c->timeout_ms);
    heard_ = spoke_ = now();
    open_ = true;
    if (!access_->user.empty()) {
        bool const known = co_await sign_in(until);
        if (!known) co_return handshake::failed;
    }
    co_return handshake::done;
}

inline asio::awaitable<bool> zookeeper_line::sign_in(time_point until)
{
    auto const name = write_zk_auth("digest", access_->user + ":" + access_->password.reveal());
    auto const [failed, written] = co_await stream_->write(asio::buffer(name));
    if (failed) {
        drop(failed, {});
        co_return false;
    }
    for (;;) {
        auto const frame = co_await next_frame(until);
        auto const r = frame ? read_zk_reply(*frame) : std::nullopt;
        if (!r) {
            if (open_) drop(make_error_code(errc::registry_unavailable), "no answer to signing in");
            co_return false;
        }
        if (r->xid == static_cast<std::int32_t>(zk_xid::auth)) {
            if (r->error == zk_error::none) co_return true;
            drop(make_error_code(errc::registry_refused), "the server does not know the user");
            co_return false;
        }
        (void)take_aside(*r);
    }
}

}  // namespace weir::registry::detail
