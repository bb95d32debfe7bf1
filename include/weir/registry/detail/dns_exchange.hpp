// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/endpoint.hpp>
#include <weir/core/errc.hpp>
#include <weir/registry/detail/cancelled.hpp>
#include <weir/registry/detail/dns_message.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace weir::registry::detail {

struct dns_question {
    std::string name;
    dns_record_type type = dns_record_type::srv;
    bool tcp = false;
    bool edns = true;
};

/// What came of one question to one server: a message, or `error` and why.
struct dns_outcome {
    boost::system::error_code error = {};
    std::string why = {};
    dns_message message = {};
};

/// Puts one question to one server, once, with an id and a port that nobody can foresee, and waits `limit` for an
/// answer. What is no answer to it is not looked at.
/// Cancellation: all types, with operation_aborted.   Threads: the executor is a strand.
[[nodiscard]] asio::awaitable<dns_outcome> dns_exchange(endpoint server, dns_question question, duration limit);

// Bodies

/// The sockets of one exchange, which a timer closes.
struct dns_line : std::enable_shared_from_this<dns_line> {
    explicit dns_line(asio::any_io_executor const& executor)
        : resolver(executor), udp(executor), tcp(executor), limit(executor)
    {
    }

    void start(duration d)
    {
        limit.async_wait_for(d, [weak = weak_from_this()](boost::system::error_code ec) {
            auto const line = weak.lock();
            if (ec || !line) return;
            boost::system::error_code ignored;
            line->late = true;
            line->resolver.cancel();
            line->udp.close(ignored);
            line->tcp.close(ignored);
        });
    }

    asio::ip::tcp::resolver resolver;
    asio::ip::udp::socket udp;
    asio::ip::tcp::socket tcp;
    weir::timer limit;
    bool late = false;
};

inline asio::awaitable<boost::system::error_code> dns_over_udp(dns_line& line, asio::ip::address to, std::uint16_t port,
                                                               std::uint16_t id, dns_question const& question,
                                                               std::vector<std::uint8_t>& answer)
{
    boost::system::error_code ec;
    asio::ip::udp::endpoint const server(to, port);
    line.udp.open(server.protocol(), ec);
    if (!ec) line.udp.connect(server, ec);  // only this server's packets arrive, and its refusals
    if (ec) co_return ec;
    auto const wire = write_dns_question(id, question.name, question.type, question.edns);
    auto const [failed, sent] = co_await line.udp.async_send(asio::buffer(wire), quietly);
    if (failed) co_return failed;
    while (!line.late) {
        if (co_await cancelled()) break;
        answer.resize(4096);
        auto const [error, size] = co_await line.udp.async_receive(asio::buffer(answer), quietly);
        if (error) co_return error;
        answer.resize(size);
        if (answers_dns_question(answer, id, question.name, question.type)) co_return error;
    }
    co_return asio::error::operation_aborted;
}

inline asio::awaitable<boost::system::error_code> dns_over_tcp(dns_line& line, asio::ip::address to, std::uint16_t port,
                                                               std::uint16_t id, dns_question const& question,
                                                               std::vector<std::uint8_t>& answer)
{
    asio::ip::tcp::endpoint const server(to, port);
    auto const [refused] = co_await line.tcp.async_connect(server, quietly);
    if (refused) co_return refused;
    if (co_await cancelled()) co_return asio::error::operation_aborted;
    auto wire = write_dns_question(id, question.name, question.type, question.edns);
    auto const length = static_cast<std::uint16_t>(wire.size());
    wire.insert(wire.begin(), {static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)});
    auto const [failed, sent] = co_await asio::async_write(line.tcp, asio::buffer(wire), quietly);
    if (failed) co_return failed;
    if (co_await cancelled()) co_return asio::error::operation_aborted;
    answer.resize(2);
    auto const [short_head, head] = co_await asio::async_read(line.tcp, asio::buffer(answer), quietly);
    if (short_head) co_return short_head;
    if (co_await cancelled()) co_return asio::error::operation_aborted;
    answer.resize(static_cast<std::size_t>(answer[0] << 8 | answer[1]));
    auto const [short_body, body] = co_await asio::async_read(line.tcp, asio::buffer(answer), quietly);
    if (short_body) co_return short_body;
    if (answers_dns_question(answer, id, question.name, question.type)) co_return boost::system::error_code();
    co_return make_error_code(errc::bad_document);
}

inline asio::awaitable<dns_outcome> dns_exchange(endpoint server, dns_question question, duration limit)
{
    auto const line = std::make_shared<dns_line>(co_await asio::this_coro::executor);
    line->start(limit);
    dns_outcome out;
    auto address = asio::ip::make_address(server.host, out.error);
    if (out.error) {
        auto const [unknown, found] =
            co_await line->resolver.async_resolve(server.host, std::to_string(server.port), quietly);
        out.error = unknown;
        if (!unknown) address = found.begin()->endpoint().address();
    }
    std::vector<std::uint8_t> wire;
    if (co_await cancelled()) out.error = asio::error::operation_aborted;
    if (!out.error) {
        // Not of weir's generators: those can be foreseen by whoever has seen enough of their numbers.
        auto const id = static_cast<std::uint16_t>(std::random_device()());
        auto exchange = question.tcp ? dns_over_tcp(*line, address, server.port, id, question, wire)
                                     : dns_over_udp(*line, address, server.port, id, question, wire);
        out.error = co_await std::move(exchange);
    }
    line->limit.cancel();
    if (line->late) {
        out.error = make_error_code(errc::registry_unavailable);
        out.why = "no answer within " + weir::detail::option_text(limit);
    } else if (out.error) {
        out.why = out.error.message();
    } else if ((wire[2] & 0x02) != 0) {
        out.message.truncated = true;  // what there is may end anywhere
    } else if (auto message = read_dns_message(wire, out.why)) {
        out.message = std::move(*message);
    } else {
        out.error = make_error_code(errc::bad_document);
    }
    co_return out;
}

}  // namespace weir::registry::detail
