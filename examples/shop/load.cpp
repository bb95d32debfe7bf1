// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "load.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace shop {

struct customers::line {
    explicit line(asio::any_io_executor const& executor) : stream(executor) {}
    boost::beast::tcp_stream stream;
    boost::beast::flat_buffer buffer;
};

customers::customers(asio::any_io_executor executor, std::uint16_t port, std::vector<double> arrivals)
    : executor_(std::move(executor)), port_(port)
{
    orders_.reserve(arrivals.size());
    for (double const at : arrivals) orders_.push_back({.at = at});
}

customers::~customers() = default;

asio::awaitable<void> customers::come(clock::time_point start)
{
    start_ = start;
    asio::steady_timer next{executor_};
    auto const wait = [&](double at) {
        next.expires_at(start + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(at)));
        return next.async_wait(asio::use_awaitable);
    };
    while (come_ < orders_.size()) {
        co_await wait(orders_[come_].at);
        ++waiting_;
        co_spawn(executor_, buy(come_++), asio::detached);
    }
    while (waiting_ > 0) co_await wait(std::chrono::duration<double>(clock::now() - start).count() + 0.02);
}

asio::awaitable<void> customers::buy(std::size_t number)
{
    auto& o = orders_[number];
    std::unique_ptr<line> l;
    if (!idle_.empty()) {
        l = std::move(idle_.back());
        idle_.pop_back();
    }
    o.how = co_await ask_for(number, l);
    o.latency = std::chrono::duration<double>(clock::now() - start_).count() - o.at;
    // Patience is of the customer, not of the socket: an answer that came later than that came too late.
    if (o.latency > patience) o.how = ending::left;
    if (o.how == ending::left) o.latency = std::max(o.latency, patience);
    if (l) idle_.push_back(std::move(l));
    --waiting_;
}

// Leaves `l` null unless the connection can be used again.
asio::awaitable<ending> customers::ask_for(std::size_t number, std::unique_ptr<line>& l)
{
    auto const leaves = start_ + std::chrono::duration_cast<clock::duration>(
                                     std::chrono::duration<double>(orders_[number].at + patience));
    bool const reused = l != nullptr;
    if (!l) l = std::make_unique<line>(executor_);
    for (bool retried = !reused;; retried = true) {
        try {
            l->stream.expires_at(leaves);
            if (!l->stream.socket().is_open())
                co_await l->stream.async_connect(tcp::endpoint{asio::ip::address_v4::loopback(), port_},
                                                 asio::use_awaitable);
            http::request<http::empty_body> asked{http::verb::get, "/order/" + std::to_string(number), 11};
            asked.set(http::field::host, "127.0.0.1");
            asked.set(customer_header, std::to_string(number));
            co_await http::async_write(l->stream, asked, asio::use_awaitable);
            response answer;
            co_await http::async_read(l->stream, l->buffer, answer, asio::use_awaitable);

            bool const again = answer.keep_alive();
            bool const come_back = answer.count(http::field::retry_after) > 0;
            auto const status = answer.result();
            if (!again) l.reset();
            if (status == http::status::ok) co_return ending::ok;
            co_return come_back ? ending::refused : ending::failed;
        }
        catch (boost::system::system_error const& e) {
            if (e.code() == boost::beast::error::timeout) {
                l.reset();
                co_return ending::left;
            }
        }
        // A kept-alive connection may have been closed meanwhile, which says nothing of the shop: once more on a new
        // one.
        l.reset();
        if (retried) co_return ending::failed;
        l = std::make_unique<line>(executor_);
    }
}

}  // namespace shop
