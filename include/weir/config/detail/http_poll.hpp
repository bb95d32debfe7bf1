// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/config/source.hpp>
#include <weir/core/random.hpp>
#include <weir/http/message.hpp>
#include <weir/registry/detail/http_session.hpp>
#include <weir/registry/detail/retry_after.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace weir::config::detail {

/// What is said over HTTP to a source whose documents are read by one question. Immutable.
class http_dialect {
public:
    virtual ~http_dialect() = default;
    [[nodiscard]] virtual http::request question() const = 0;
    virtual boost::system::error_code read(http::response const& answer, loaded& out) const = 0;
};

/// The error of an answer that holds no document, with the reason in the note: what is wrong with it where it was read,
/// and what the server says else.
[[nodiscard]] inline boost::system::error_code refused(http::response const& answer, loaded& out)
{
    auto [code, said] = registry::detail::judged(answer);
    if (code) out.note = std::move(said.note);
    if (out.note.empty()) out.note = "no document: " + registry::detail::shown(answer);
    return code ? code : boost::system::error_code(make_error_code(errc::bad_document));
}

/// A conversation by such questions: reads, and between two reads waits for `poll` and up to a tenth more, so that a
/// fleet does not ask in step. A read has its own limit: a server may be gone without a word.
class http_poll {
public:
    http_poll(asio::any_io_executor strand, std::shared_ptr<registry::detail::http_access> access,
              std::unique_ptr<http_dialect const> d, duration poll, duration timeout, duration patience)
        : state_(std::make_shared<state>(std::move(strand), std::move(access), std::move(d), poll, timeout)),
          patience_(patience)
    {
    }

    void async_load(loaded_handler done) { ask(step::read, std::move(done)); }
    void async_await_change(std::string const&, loaded_handler done) { ask(step::wait, std::move(done)); }
    /// Longer than the longest quiet await: `poll` and a tenth, and a read.
    [[nodiscard]] duration await_timeout() const { return patience_; }

private:
    enum class step : std::uint8_t { wait, read, answered };

    struct state {
        state(asio::any_io_executor e, std::shared_ptr<registry::detail::http_access> access,
              std::unique_ptr<http_dialect const> d, duration p, duration timeout)
            : strand(e), http(e, std::move(access), timeout), dialect(std::move(d)), poll(p), nap(e)
        {
        }
        asio::any_io_executor strand;
        registry::detail::http_session http;
        std::unique_ptr<http_dialect const> dialect;
        duration poll;
        weir::timer nap;
    };

    struct poll_op {
        std::shared_ptr<state> s;
        step next;
        bool started = false;

        template <class Self>
        void operator()(Self& self, boost::system::error_code ec = {}, http::response const& answer = {})
        {
            if (!std::exchange(started, true)) self.reset_cancellation_state(asio::enable_total_cancellation());
            if (ec) return self.complete(ec, loaded{});
            auto const keep = s;  // this object moves
            if (next == step::wait) {
                next = step::read;
                return keep->nap.async_wait_for(registry::detail::and_a_tenth(keep->poll, thread_random()),
                                                std::move(self));
            }
            if (next == step::read) {
                next = step::answered;
                return keep->http.async_send(keep->dialect->question(), std::move(self));
            }
            loaded l;
            ec = keep->dialect->read(answer, l);
            self.complete(ec, std::move(l));
        }
    };

    void ask(step first, loaded_handler done)
    {
        asio::async_compose<loaded_handler, void(boost::system::error_code, loaded)>(poll_op{state_, first}, done,
                                                                                     state_->strand);
    }

    std::shared_ptr<state> state_;
    duration patience_;
};

}  // namespace weir::config::detail
