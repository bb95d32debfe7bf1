// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/endpoint.hpp>
#include <weir/http/answer_stream.hpp>
#include <weir/http/client.hpp>
#include <weir/registry/detail/check_transport.hpp>
#include <weir/registry/detail/erased_handler.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace weir::registry::detail {

using response_handler = erased_handler<http::response>;
using piece_handler = erased_handler<std::string>;

/// An answer that is read while it comes: http::answer_stream over whatever transport. Destroying it closes.
class http_stream {
public:
    virtual ~http_stream() = default;
    virtual void open(endpoint const& to, http::request r, response_handler done) = 0;
    virtual void read(piece_handler done) = 0;
};

/// HTTP over whatever transport, so that sessions are no templates and the client, which is large, is compiled once.
/// Used from one strand; what is pending outlives it.
class http_channel {
public:
    virtual ~http_channel() = default;
    virtual void send(endpoint const& to, http::request r, response_handler done) = 0;
    [[nodiscard]] virtual std::unique_ptr<http_stream> stream() const = 0;
};

/// Makes a channel whose work is done on `strand`.
using http_channel_maker =
    std::function<std::unique_ptr<http_channel>(asio::any_io_executor strand, http::client_options o)>;

template <class Transport>
class http_stream_over final : public http_stream {
public:
    http_stream_over(asio::any_io_executor strand, http::client_options o, Transport transport)
        : stream_(std::move(strand), std::move(o), std::move(transport))
    {
    }

    void open(endpoint const& to, http::request r, response_handler done) override
    {
        stream_.async_open(to, std::move(r), never, std::move(done));
    }
    void read(piece_handler done) override { stream_.async_read(std::move(done)); }

private:
    http::basic_answer_stream<asio::any_io_executor, Transport> stream_;
};

template <class Transport>
class http_channel_over final : public http_channel {
public:
    http_channel_over(asio::any_io_executor strand, http::client_options o, Transport transport)
        : options_(o), transport_(transport), client_(std::move(strand), std::move(o), std::move(transport))
    {
    }

    void send(endpoint const& to, http::request r, response_handler done) override
    {
        client_.async_send(to, std::move(r), never, std::move(done));
    }
    [[nodiscard]] std::unique_ptr<http_stream> stream() const override
    {
        return std::make_unique<http_stream_over<Transport>>(client_.get_executor(), options_, transport_);
    }

private:
    http::client_options options_;
    Transport transport_;
    http::basic_client<asio::any_io_executor, Transport> client_;
};

template <class Transport>
[[nodiscard]] http_channel_maker http_channels_over(Transport transport)
{
    return [transport](asio::any_io_executor strand, http::client_options o) -> std::unique_ptr<http_channel> {
        return std::make_unique<http_channel_over<Transport>>(std::move(strand), std::move(o), transport);
    };
}

}  // namespace weir::registry::detail
