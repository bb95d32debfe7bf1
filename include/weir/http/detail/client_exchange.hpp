// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/core/priority.hpp>
#include <weir/http/deadline_header.hpp>
#include <weir/http/detail/client_core.hpp>
#include <weir/http/detail/outgoing.hpp>
#include <weir/http/message.hpp>
#include <weir/http/validate.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::http::detail {

/// weir's word for what Beast says of a broken answer; everything else as it is.
[[nodiscard]] inline boost::system::error_code client_error(boost::system::error_code ec) noexcept
{
    using beast::http::error;
    static auto const& of_beast = make_error_code(error::end_of_stream).category();
    auto const say = [](errc e) { return boost::system::error_code(std::error_code(make_error_code(e))); };
    if (ec == asio::error::eof || ec == error::end_of_stream || ec == error::partial_message)
        return say(errc::connection_closed);
    if (ec == error::body_limit) return say(errc::body_too_large);
    if (ec.category() == of_beast || ec == beast::error::timeout) return say(errc::bad_response);
    return ec;
}

/// What a call does, from the first check to the answer. It does not know who waits for it: client_call does. So all of
/// Beast's and Asio's I/O is compiled once for a client, and not once for each type of handler; `Allocator`, which
/// nearly all handlers have in common, is where the steps get their memory.
///
/// One object at one address; whatever is pending owns it. All steps run on the client's executor, and there is always
/// exactly one pending, so nothing here is shared.
template <class Core, class Allocator>
class client_exchange : public client_call_base {
public:
    using executor_type = typename Core::executor_type;

    void abort(boost::system::error_code why) final
    {
        if (why_) return;
        why_ = why;
        if (link_) link_->close();
        if (auto const l = lookup_.lock(); l && l->waiting.call) {
            l->resolving.cancel();
            asio::post(std::move(l->waiting));
        }
    }

protected:
    using error_code = boost::system::error_code;

    struct dropper {
        void operator()(client_exchange* c) const noexcept { c->drop(); }
    };
    using owner = std::unique_ptr<client_exchange, dropper>;

    client_exchange(std::shared_ptr<Core> core, request&& what, time_point deadline, Allocator const& allocator)
        : core_(std::move(core)), allocator_(allocator), request_(std::move(what)), deadline_(deadline)
    {
    }
    client_exchange(std::shared_ptr<Core> core, std::string_view target, time_point deadline,
                    Allocator const& allocator)
        : client_exchange(std::move(core), http::get(target), deadline, allocator)
    {
    }

    ~client_exchange()
    {
        if (slot_) {
            core_->remove(*this);
            core_->leave(*slot_);
        }
    }

    [[nodiscard]] executor_type const& get_executor() const noexcept { return core_->get_executor(); }
    [[nodiscard]] Allocator const& get_allocator() const noexcept { return allocator_; }

    void begin(owner call, std::string_view host, std::uint16_t port, std::optional<request_priority> priority)
    {
        step self{std::move(call)};
        auto const now = core_->now();
        auto const& o = core_->options();
        if (priority && !o.priority_header.empty()) request_.set(o.priority_header, to_header(*priority));
        if (deadline_ == never && o.timeout != duration::zero()) deadline_ = later(now, o.timeout);
        if (!defect_in(request_).empty() || host.empty() || port == 0 || !valid_field_value(host))
            return refuse(std::move(self), errc::bad_request);
        if (deadline_ <= now) return refuse(std::move(self), errc::no_time_left);
        slot_ = core_->enter(host, port);
        if (!slot_) return refuse(std::move(self), errc::too_many_calls);
        limit_ = deadline_;
        core_->add(*this);
        fill_in(request_, o, slot_->host(), slot_->port());
        listen();  // not before: what has thrown must not be left in the caller's cancellation slot

        link_ = core_->take(*slot_, idempotent(request_.method()), now);
        reused_ = link_ != nullptr;
        if (reused_)
            write(std::move(self));
        else
            connect(std::move(self), now);
    }

    /// From now on its caller may cancel it.
    virtual void listen() = 0;
    /// The exchange is over: frees it, and calls the handler, with `take_answer()` if there is no error.
    virtual void complete(error_code ec) = 0;
    /// Nobody will ever be called, for the context has gone: frees it.
    virtual void drop() noexcept = 0;

    [[nodiscard]] response take_answer() { return parser_->release(); }

private:
    using tcp = asio::ip::tcp;
    using resolver = asio::ip::basic_resolver<tcp, executor_type>;

    // The handler of whatever is pending.
    struct step {
        using executor_type = client_exchange::executor_type;
        using allocator_type = Allocator;

        owner call;

        [[nodiscard]] executor_type get_executor() const noexcept { return call->core_->get_executor(); }
        [[nodiscard]] allocator_type get_allocator() const noexcept { return call->allocator_; }

        void operator()(error_code ec = {}, std::size_t bytes = 0)
        {
            auto& c = *call;
            c.resume(std::move(*this), ec, bytes);
        }
        void operator()(error_code ec, tcp::endpoint const&) { (*this)(ec); }
    };

    // A look-up cannot be interrupted: the system's resolver goes on in its thread. So the call does not wait in the
    // look-up's handler but here, where `abort` can fetch it.
    struct lookup {
        explicit lookup(executor_type const& e) : resolving(e) {}
        resolver resolving;
        step waiting{};
    };

    enum class at { refused, looking_up, connecting, shaking_hands, writing, reading };

    void refuse(step self, errc why)
    {
        why_ = std::error_code(make_error_code(why));
        at_ = at::refused;
        asio::post(std::move(self));
    }

    // A new connection. `now` opens the time for it.
    void connect(step self, time_point now)
    {
        link_ = std::make_unique<typename Core::connection_type>(
            core_->transport().open(core_->get_executor(), slot_->host()));
        if (auto const span = core_->options().connect_timeout; span != duration::zero()) {
            limit_ = std::min(deadline_, later(now, span));
            core_->watch(limit_);
        }
        error_code not_an_address;
        auto const address = asio::ip::make_address(slot_->host(), not_an_address);
        if (not_an_address) return look_up(std::move(self));
        at_ = at::connecting;
        link_->socket().async_connect(tcp::endpoint(address, slot_->port()), std::move(self));
    }

    void look_up(step self)
    {
        at_ = at::looking_up;
        auto l = std::make_shared<lookup>(core_->get_executor());
        lookup_ = l;
        l->waiting = std::move(self);
        auto& resolving = l->resolving;
        resolving.async_resolve(slot_->host(), std::to_string(slot_->port()), tcp::resolver::numeric_service,
                                [l](error_code ec, typename resolver::results_type found) {
                                    auto waiting = std::move(l->waiting);
                                    if (!waiting.call) return;
                                    waiting.call->found_ = std::move(found);
                                    waiting(ec);
                                });
    }

    void write(step self)
    {
        at_ = at::writing;
        limit_ = deadline_;
        // Here, and not before, for what is left shrinks while a connection is made.
        if (auto const& name = core_->options().deadline_header; !name.empty() && deadline_ != never)
            request_.set(name, format_timeout(between(core_->now(), deadline_)));
        asio::async_write(link_->stream, bytes_of(request_, link_->head), all_at_once{}, std::move(self));
    }

    void read(step self)
    {
        at_ = at::reading;
        parser_.emplace();
        parser_->header_limit(core_->options().max_header_bytes);
        parser_->body_limit(core_->options().max_body_bytes);
        if (request_.method() == verb::head) parser_->skip(true);
        beast::http::async_read(link_->stream, link_->buffer, *parser_, std::move(self));
    }

    void resume(step self, error_code ec, std::size_t bytes)
    {
        if (at_ == at::reading && !ec) return answered(std::move(self));  // a result wins over a reason that came later
        if (why_) return finish(std::move(self), why_);
        if (ec) return failed(std::move(self), ec, bytes);
        switch (at_) {
            case at::looking_up:
                at_ = at::connecting;
                return asio::async_connect(link_->socket(), found_, std::move(self));
            case at::connecting: {
                error_code ignored;
                link_->socket().set_option(tcp::no_delay(true), ignored);
                link_->socket().non_blocking(true, ignored);  // for `quiet`
                if constexpr (Core::transport_type::handshakes) {
                    at_ = at::shaking_hands;
                    return core_->transport().async_handshake(link_->stream, std::move(self));
                } else {
                    return write(std::move(self));
                }
            }
            case at::shaking_hands: return write(std::move(self));
            case at::writing: return read(std::move(self));
            default: return finish(std::move(self), asio::error::operation_aborted);
        }
    }

    void failed(step self, error_code ec, std::size_t bytes)
    {
        bool const unheard = at_ == at::writing || (at_ == at::reading && !parser_->got_some() && interim_ == 0);
        bool const unsent = at_ == at::writing && bytes == 0;
        if (reused_ && unheard && (unsent || idempotent(request_.method()))) {
            // The peer had closed a kept connection. Its neighbours will have gone the same way.
            core_->close_idle(*slot_);
            reused_ = false;
            return connect(std::move(self), core_->now());
        }
        finish(std::move(self), client_error(ec));
    }

    void answered(step self)
    {
        auto const bad = std::error_code(make_error_code(errc::bad_response));
        auto const code = parser_->get().result_int();
        if (code < 200) {
            if (code == 101 || ++interim_ > 16) return finish(std::move(self), bad);
            if (why_) return finish(std::move(self), why_);
            return read(std::move(self));
        }
        if (!framing_defect(parser_->get().base()).empty()) return finish(std::move(self), bad);
        // Anything left unread would be taken for the next answer.
        bool const clean = parser_->keep_alive() && link_->buffer.size() == 0;
        if (clean && request_.keep_alive() && !why_) core_->keep(*slot_, std::move(link_));
        finish(std::move(self), {});
    }

    // Without an error, the answer is in the parser.
    static void finish(step self, error_code ec) { self.call.release()->complete(ec); }

    void expire() final
    {
        if (limit_ < deadline_)
            abort(asio::error::timed_out);
        else
            abort(std::error_code(make_error_code(errc::attempt_timed_out)));
    }

    std::shared_ptr<Core> core_;
    [[no_unique_address]] Allocator allocator_;
    request request_;
    time_point deadline_;
    pool_slot* slot_ = nullptr;
    typename Core::link link_;
    std::weak_ptr<lookup> lookup_;
    typename resolver::results_type found_;
    std::optional<beast::http::response_parser<beast::http::string_body>> parser_;
    error_code why_;  // why it ends although nothing failed: its deadline, its caller, its client
    at at_ = at::refused;
    bool reused_ = false;
    int interim_ = 0;
};

}  // namespace weir::http::detail
