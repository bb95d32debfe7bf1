// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/errc.hpp>
#include <weir/registry/detail/erased_handler.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <exception>
#include <memory>
#include <tuple>
#include <utility>

namespace weir::registry::detail {

/// What a backend said. `Reply` has a `note` for words.
template <class Reply>
struct answer {
    boost::system::error_code ec;
    Reply reply;
    bool late = false;  ///< there was none within the limit
};

/// Puts questions to a backend, one at a time, each with a time limit that cancels it.
/// Threads: everything on the strand.
class question {
public:
    explicit question(asio::strand<asio::any_io_executor> const& strand) : limit_(strand) {}

    /// `begin(done)` starts the backend's operation, which ends in the erased_handler<Reply> `done`. A backend that
    /// throws, or is late, is unavailable.
    template <class Reply, class Begin>
    asio::awaitable<answer<Reply>> ask(duration limit, Begin begin)
    {
        answer<Reply> a;
        auto const now = std::make_shared<asked>();
        asked_ = now;
        limit_.async_wait_for(limit, [weak = std::weak_ptr(now)](boost::system::error_code ec) {
            auto const still = weak.lock();
            if (ec || !still || still->answered) return;
            still->late = true;
            still->stop.emit(asio::cancellation_type::terminal);
        });
        try {
            auto token = asio::bind_cancellation_slot(now->stop.slot(), asio::as_tuple(asio::use_awaitable));
            auto work = asio::async_initiate<decltype(token), void(boost::system::error_code, Reply)>(
                [this, &begin](auto handler) {
                    begin(erased_handler<Reply>(std::move(handler), limit_.get_executor()));
                },
                token);
            std::tie(a.ec, a.reply) = co_await std::move(work);
        } catch (std::exception const& e) {
            a.ec = make_error_code(errc::registry_unavailable);
            a.reply.note = e.what();
        }
        now->answered = true;
        now->stop.slot().clear();
        limit_.cancel();
        if (a.ec && now->late) {
            a.late = true;
            a.ec = make_error_code(errc::registry_unavailable);
            a.reply.note = "no answer within " + weir::detail::option_text(limit);
        }
        co_return a;
    }

    /// The answer to the present question is not wanted any more.
    void cancel()
    {
        if (asked_ && !asked_->answered) asked_->stop.emit(asio::cancellation_type::terminal);
    }

private:
    struct asked {
        asio::cancellation_signal stop;
        bool answered = false;
        bool late = false;
    };

    weir::timer limit_;
    std::shared_ptr<asked> asked_;
};

}  // namespace weir::registry::detail
