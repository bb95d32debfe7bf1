// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/config/source.hpp>
#include <weir/core/random.hpp>
#include <weir/http/message.hpp>
#include <weir/registry/detail/http_session.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace weir::config::detail {

/// What is said over HTTP to a source whose documents are read by one question. Immutable, but for what a dialect
/// learns of the server.
class http_dialect {
public:
    virtual ~http_dialect() = default;
    [[nodiscard]] virtual http::request question() = 0;
    virtual boost::system::error_code read(http::response const& answer, loaded& out) = 0;

    /// An answer that means "ask again, in the way I have just learnt".
    [[nodiscard]] virtual bool ask_otherwise(http::response const&) { return false; }

    /// A question that the server holds until there is a change. False: there is none, and time has to pass.
    [[nodiscard]] virtual bool waiting_question(std::string const& version, http::request& out) = 0;
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

/// A conversation by such questions: reads, and between two reads waits at the server, or for `poll` and up to a tenth
/// more, so that a fleet does not ask in step.
class http_poll {
public:
    http_poll(asio::any_io_executor strand, std::shared_ptr<registry::detail::http_access> access,
              std::unique_ptr<http_dialect> d, duration poll, duration timeout, duration patience)
        : state_(std::make_shared<state>(std::move(strand), std::move(access), std::move(d), poll, timeout)),
          patience_(patience)
    {
    }

    void async_load(loaded_handler done) { ask(step::read, {}, std::move(done)); }
    void async_await_change(std::string const& version, loaded_handler done)
    {
        ask(step::wait, version, std::move(done));
    }
    /// Longer than the longest quiet await: `poll` and a tenth, or what a server holds a question, and a read.
    [[nodiscard]] duration await_timeout() const { return patience_; }

private:
    enum class step : std::uint8_t { begin, wait, waited, read, answered };

    struct state {
        state(asio::any_io_executor e, std::shared_ptr<registry::detail::http_access> access,
              std::unique_ptr<http_dialect> d, duration p, duration timeout)
            : strand(e),
              held(e, access, duration::zero()),
              reads(e, std::move(access), timeout),
              dialect(std::move(d)),
              poll(p),
              nap(e)
        {
        }
        asio::any_io_executor strand;
        registry::detail::http_session held;   // may take as long as the await may
        registry::detail::http_session reads;  // may not: a server may be gone without a word
        std::unique_ptr<http_dialect> dialect;
        duration poll;
        weir::timer nap;
    };

    struct poll_op {
        std::shared_ptr<state> s;
        step next;
        std::string version;
        step at = step::begin;

        template <class Self>
        void operator()(Self& self, boost::system::error_code ec = {}, http::response const& answer = {})
        {
            if (at == step::begin) {
                self.reset_cancellation_state(asio::enable_total_cancellation());
                at = step::waited;
                if (next == step::read) return read(self);
                http::request held;
                if (s->dialect->waiting_question(version, held)) return send(self, s->held, std::move(held));
                auto const more = static_cast<double>(s->poll.count()) * 0.1 * uniform_unit(thread_random());
                auto const keep = s;
                return keep->nap.async_wait_for(s->poll + duration{static_cast<duration::rep>(more)}, std::move(self));
            }
            if (ec) return self.complete(ec, loaded{});
            if (at == step::waited) {
                // Of a held question only the end is of interest: what it says is read, and that is the whole.
                if (answer.result() != http::status::ok) return refuse(self, answer);
                return read(self);
            }
            if (s->dialect->ask_otherwise(answer)) return read(self);
            loaded l;
            ec = s->dialect->read(answer, l);
            self.complete(ec, std::move(l));
        }

        template <class Self>
        void read(Self& self)
        {
            at = step::answered;
            send(self, s->reads, s->dialect->question());
        }

        template <class Self>
        void send(Self& self, registry::detail::http_session to, http::request r)  // a copy: this object moves
        {
            to.async_send(std::move(r), std::move(self));
        }

        template <class Self>
        static void refuse(Self& self, http::response const& answer)
        {
            loaded l;
            auto const ec = refused(answer, l);
            self.complete(ec, std::move(l));
        }
    };

    void ask(step first, std::string version, loaded_handler done)
    {
        asio::async_compose<loaded_handler, void(boost::system::error_code, loaded)>(
            poll_op{state_, first, std::move(version)}, done, state_->strand);
    }

    std::shared_ptr<state> state_;
    duration patience_;
};

}  // namespace weir::config::detail
