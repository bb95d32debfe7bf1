// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/work_guard.hpp>
#include <weir/core/priority.hpp>
#include <weir/core/time.hpp>
#include <weir/http/detail/client_exchange.hpp>
#include <weir/http/message.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace weir::http::detail {

/// One call: the exchange, and who waits for it. One object on the heap, in memory of the handler's allocator.
template <class Core, class Handler>
class client_call final : public client_exchange<Core, asio::associated_allocator_t<Handler>> {
    using handler_allocator = asio::associated_allocator_t<Handler>;
    using exchange = client_exchange<Core, handler_allocator>;
    using executor_type = typename Core::executor_type;
    using error_code = boost::system::error_code;

public:
    /// `what`: a request, or the target of a GET.
    template <class What>
    static void start(std::shared_ptr<Core> core, Handler&& handler, std::string_view host, std::uint16_t port,
                      What&& what, time_point deadline, std::optional<request_priority> priority)
    {
        allocator a(asio::get_associated_allocator(handler));
        auto* const call = traits::allocate(a, 1);
        traits::construct(a, call, std::move(core), std::move(handler), std::move(what), deadline);
        typename exchange::owner owned(call);
        call->begin(std::move(owned), host, port, priority);
    }

    template <class What>
    client_call(std::shared_ptr<Core> core, Handler&& handler, What&& what, time_point deadline)
        : exchange(std::move(core), std::move(what), deadline, asio::get_associated_allocator(handler)),
          handler_(std::move(handler))
    {
        // What is pending keeps the client's own context running.
        if (!at_home()) work_.emplace(asio::get_associated_executor(handler_, this->get_executor()));
    }

private:
    using handler_executor = asio::associated_executor_t<Handler, executor_type>;
    using allocator = typename std::allocator_traits<handler_allocator>::template rebind_alloc<client_call>;
    using traits = std::allocator_traits<allocator>;

    struct completion {
        using allocator_type = handler_allocator;

        Handler handler;
        error_code ec;
        response answer;

        [[nodiscard]] allocator_type get_allocator() const noexcept { return asio::get_associated_allocator(handler); }
        void operator()() { std::move(handler)(ec, std::move(answer)); }
    };

    void listen() override
    {
        if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected())
            slot.assign([this](asio::cancellation_type type) {
                if (type != asio::cancellation_type::none) this->abort(asio::error::operation_aborted);
            });
    }

    void complete(error_code ec) override
    {
        if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected()) slot.clear();
        completion done{std::move(handler_), ec, ec ? response() : this->take_answer()};
        auto const work = std::move(work_);
        drop();
        if (!work)
            done();
        else
            asio::dispatch(work->get_executor(), std::move(done));
    }

    void drop() noexcept override
    {
        allocator a(this->get_allocator());
        traits::destroy(a, this);
        traits::deallocate(a, this, 1);
    }

    // The handler runs where the call does.
    [[nodiscard]] bool at_home() const noexcept
    {
        if constexpr (std::same_as<handler_executor, executor_type>)
            return asio::get_associated_executor(handler_, this->get_executor()) == this->get_executor();
        else
            return false;
    }

    Handler handler_;
    std::optional<weir::detail::work_guard<handler_executor>> work_;
};

}  // namespace weir::http::detail
