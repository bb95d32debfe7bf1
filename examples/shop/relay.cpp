// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "relay.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <memory>

namespace shop {

namespace {

using boost::system::error_code;

auto quietly(error_code& ec) { return asio::redirect_error(asio::use_awaitable, ec); }

asio::awaitable<void> pump(std::shared_ptr<relay::cable> c, tcp::socket& from, tcp::socket& to)
{
    std::array<char, 4096> bytes;
    error_code ec;
    while (!ec) {
        auto const n = co_await from.async_read_some(asio::buffer(bytes), quietly(ec));
        if (!ec) co_await asio::async_write(to, asio::buffer(bytes.data(), n), quietly(ec));
    }
    c->cut();  // both ways end together: half-closed HTTP is of no use
}

}  // namespace

relay::relay(asio::any_io_executor executor, std::string host, std::uint16_t port)
    : executor_(executor), host_(std::move(host)), upstream_(port), acceptor_(listen(executor, 0)),
      port_(acceptor_->local_endpoint().port())
{
    co_spawn(executor_, accept(), asio::detached);
}

void relay::cable::cut()
{
    error_code ignored;
    near.shutdown(tcp::socket::shutdown_both, ignored);
    far.shutdown(tcp::socket::shutdown_both, ignored);
}

void relay::cut()
{
    acceptor_->close();
    for (auto const& c : cables_)
        if (auto const live = c.lock()) live->cut();
}

void relay::mend()
{
    acceptor_ = listen(executor_, port_);
    co_spawn(executor_, accept(), asio::detached);
}

asio::awaitable<void> relay::accept()
{
    for (;;) {
        error_code ec;
        auto near = co_await acceptor_->async_accept(quietly(ec));
        if (ec == asio::error::operation_aborted) co_return;
        if (ec) continue;
        auto const c = std::make_shared<cable>(std::move(near), tcp::socket{executor_});
        std::erase_if(cables_, [](auto const& old) { return old.expired(); });
        cables_.push_back(c);
        co_spawn(executor_, carry(c), asio::detached);
    }
}

asio::awaitable<void> relay::carry(std::shared_ptr<cable> c)
{
    error_code ec;
    tcp::resolver resolver{executor_};
    auto const found = co_await resolver.async_resolve(host_, std::to_string(upstream_), quietly(ec));
    if (!ec) co_await asio::async_connect(c->far, found, quietly(ec));
    if (ec) co_return;
    c->near.set_option(tcp::no_delay(true), ec);
    c->far.set_option(tcp::no_delay(true), ec);
    co_spawn(executor_, pump(c, c->near, c->far), asio::detached);
    co_spawn(executor_, pump(c, c->far, c->near), asio::detached);
}

}  // namespace shop
