// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/cancelled.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace weir::registry::detail {

using stream_result = std::tuple<boost::system::error_code, std::size_t>;

/// One connection to a server, over whatever transport, so that what is said over it is compiled once. One operation at
/// a time. It ends when its coroutine is cancelled, or with `cancel`, and the connection is as good as before, unless
/// it was in the middle of a write.
class zookeeper_stream {
public:
    virtual ~zookeeper_stream() = default;
    virtual asio::awaitable<stream_result> connect(asio::ip::tcp::endpoint to) = 0;
    virtual asio::awaitable<stream_result> handshake() = 0;  ///< after `connect`; nothing where there is none
    virtual asio::awaitable<stream_result> read(asio::mutable_buffer to) = 0;  ///< some
    virtual asio::awaitable<stream_result> write(asio::const_buffer from) = 0;
    /// Writes without waiting, also while somebody reads. False: not all of it could be written, and nothing more can.
    virtual bool say(std::string const& text) = 0;
    virtual void cancel() = 0;
    virtual void close() = 0;
    [[nodiscard]] virtual bool is_open() const = 0;
};

/// Makes a connection that is to be made to `host`, for a strand.
using zookeeper_stream_maker =
    std::function<std::unique_ptr<zookeeper_stream>(asio::any_io_executor const& strand, std::string_view host)>;

template <class Transport>
class zookeeper_stream_over final : public zookeeper_stream {
public:
    zookeeper_stream_over(asio::any_io_executor const& strand, Transport const& transport, std::string_view host)
        : executor_(strand), transport_(transport), stream_(transport_.open(strand, host))
    {
    }

    asio::awaitable<stream_result> connect(asio::ip::tcp::endpoint to) override
    {
        return start([this, to](auto done) { socket().async_connect(to, std::move(done)); });
    }
    asio::awaitable<stream_result> handshake() override
    {
        boost::system::error_code ignored;
        socket().set_option(asio::ip::tcp::no_delay(true), ignored);
        socket().non_blocking(true, ignored);  // for `say`
        if constexpr (Transport::handshakes)
            return start([this](auto done) { transport_.async_handshake(stream_, std::move(done)); });
        else
            return nothing();
    }
    asio::awaitable<stream_result> read(asio::mutable_buffer to) override
    {
        return start([this, to](auto done) { stream_.async_read_some(to, std::move(done)); });
    }
    asio::awaitable<stream_result> write(asio::const_buffer from) override
    {
        return start([this, from](auto done) { asio::async_write(stream_, from, std::move(done)); });
    }
    bool say(std::string const& text) override
    {
        boost::system::error_code ec;
        return stream_.write_some(asio::buffer(text), ec) == text.size() && !ec;
    }
    // Not the socket's cancel: a TLS stream that is between two reads of its socket would not hear it. And always
    // "terminal", for it hears of no other.
    void cancel() override { stop_.emit(asio::cancellation_type::terminal); }
    void close() override
    {
        boost::system::error_code ignored;
        socket().close(ignored);
    }
    [[nodiscard]] bool is_open() const override { return stream_.lowest_layer().is_open(); }

private:
    [[nodiscard]] auto& socket() noexcept { return stream_.lowest_layer(); }

    static asio::awaitable<stream_result> nothing() { co_return stream_result(); }

    template <class Operation>
    asio::awaitable<stream_result> start(Operation operation)
    {
        return asio::async_initiate<decltype(quietly), void(boost::system::error_code, std::size_t)>(
            [this, operation](auto handler) {
                auto slot = asio::get_associated_cancellation_slot(handler);
                if (slot.is_connected())
                    slot.assign([this](asio::cancellation_type t) {
                        if (t != asio::cancellation_type::none) cancel();
                    });
                auto const executor = asio::get_associated_executor(handler, executor_);
                auto done = [slot, h = std::move(handler)](boost::system::error_code ec, std::size_t size = 0) mutable {
                    if (slot.is_connected()) slot.clear();
                    std::move(h)(ec, size);
                };
                operation(asio::bind_cancellation_slot(stop_.slot(), asio::bind_executor(executor, std::move(done))));
            },
            quietly);
    }

    asio::any_io_executor executor_;
    Transport transport_;
    typename Transport::template stream<asio::any_io_executor> stream_;
    asio::cancellation_signal stop_;
};

template <class Transport>
[[nodiscard]] zookeeper_stream_maker zookeeper_streams_over(Transport transport)
{
    return [transport](asio::any_io_executor const& strand, std::string_view host) {
        return std::make_unique<zookeeper_stream_over<Transport>>(strand, transport, host);
    };
}

}  // namespace weir::registry::detail
