// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/system/error_code.hpp>

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace weir {

namespace asio = boost::asio;

}  // namespace weir

namespace weir::detail {

/// A completion handler void(boost::system::error_code, Values...) of whatever type, so that what is large (the HTTP
/// client, the coroutines of watches and leases) is compiled once for all who ask. Moves only; called once at most, and
/// then it is empty. It has the executor (`otherwise`, if the handler names none) and the cancellation slot of what it
/// holds. Not its allocator: this is for work that allocates anyhow.
template <class... Values>
class erased_handler {
public:
    using executor_type = asio::any_io_executor;
    using cancellation_slot_type = asio::cancellation_slot;

    erased_handler() = default;

    template <class Handler>
        requires(!std::same_as<std::decay_t<Handler>, erased_handler>)
    erased_handler(Handler&& handler, executor_type const& otherwise)
        : executor_(asio::get_associated_executor(handler, otherwise)),
          slot_(asio::get_associated_cancellation_slot(handler)),
          target_(std::make_unique<holder<std::decay_t<Handler>>>(std::forward<Handler>(handler)))
    {
    }

    // Erased already.
    erased_handler(erased_handler&& other, executor_type const&) noexcept : erased_handler(std::move(other)) {}
    erased_handler(erased_handler&&) noexcept = default;
    erased_handler& operator=(erased_handler&&) noexcept = default;

    [[nodiscard]] explicit operator bool() const noexcept { return target_ != nullptr; }
    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return slot_; }

    void operator()(boost::system::error_code ec, Values... values)
    {
        std::exchange(target_, nullptr)->complete(ec, std::move(values)...);
    }

private:
    struct target {
        virtual ~target() = default;
        virtual void complete(boost::system::error_code ec, Values... values) = 0;
    };
    template <class Handler>
    struct holder final : target {
        template <class H>
        explicit holder(H&& h) : handler(std::forward<H>(h))
        {
        }
        void complete(boost::system::error_code ec, Values... values) override
        {
            // Out of the holder first: the handler may free what holds the holder.
            auto h = std::move(handler);
            std::move(h)(ec, std::move(values)...);
        }
        Handler handler;
    };

    executor_type executor_;
    cancellation_slot_type slot_;
    std::unique_ptr<target> target_;
};

}  // namespace weir::detail
