// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/watch_backend.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <memory>
#include <string>
#include <utility>

using weir::registry::listing;
using weir::registry::listing_handler;
using weir::registry::query;
namespace asio = boost::asio;

namespace {

// The least that a backend can be: it takes the handler it is given.
struct one_word {
    std::string word;
    void async_list(query const&, listing_handler done)
    {
        auto const executor = done.get_executor();
        asio::post(executor, [done = std::move(done), word = word]() mutable {
            listing l;
            l.revision = word;
            done({}, std::move(l));
        });
    }
    void async_await_change(query const& q, std::string const&, listing_handler done)
    {
        async_list(q, std::move(done));
    }
};
static_assert(weir::registry::watch_backend<one_word>);

struct half {
    void async_list(query const&, listing_handler) {}
};
static_assert(!weir::registry::watch_backend<half>);
static_assert(!weir::registry::watch_backend<int>);

}  // namespace

TEST_CASE("watch_backend: erased, it answers through the same handler, on the handler's executor, once")
{
    asio::io_context home, other;
    std::unique_ptr<weir::registry::detail::watch_source> const source =
        std::make_unique<weir::registry::detail::watch_source_for<one_word>>(one_word{"r1"});
    std::string got;
    asio::cancellation_signal stop;
    auto const note = [&](boost::system::error_code ec, listing l) {
        got += ec ? "E" : l.revision;
        CHECK(other.get_executor().running_in_this_thread());
    };
    listing_handler done(asio::bind_cancellation_slot(stop.slot(), asio::bind_executor(other.get_executor(), note)),
                         home.get_executor());
    CHECK(done.get_executor() == asio::any_io_executor(other.get_executor()));
    CHECK(done.get_cancellation_slot() == stop.slot());
    source->list(query{"web"}, std::move(done));
    CHECK_FALSE(done);
    home.poll();
    CHECK(got.empty());
    other.poll();
    CHECK(got == "r1");

    // Without an executor of its own, it has the one that was given.
    listing_handler plain([&](boost::system::error_code, listing const& l) { got += "+" + l.revision; },
                          home.get_executor());
    CHECK(plain);
    CHECK(plain.get_executor() == asio::any_io_executor(home.get_executor()));
    CHECK_FALSE(plain.get_cancellation_slot().is_connected());
    source->await_change(query{"web"}, "r1", std::move(plain));
    home.restart();
    home.poll();
    CHECK(got == "r1+r1");
}
