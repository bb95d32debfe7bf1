// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/memory.hpp>

#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>

#include <optional>
#include <string>
#include <utility>

using weir::config::loaded;
using weir::config::memory;
namespace asio = boost::asio;
using boost::system::error_code;

static_assert(weir::config::source<memory>);

namespace {

struct answer {
    std::optional<error_code> ec;
    loaded said;

    auto handler()
    {
        return [this](error_code e, loaded l) {
            ec = e;
            said = std::move(l);
        };
    }
};

}  // namespace

TEST_CASE("memory: says what it holds, and that it holds nothing")
{
    weir::testing::virtual_time world;
    memory source;
    auto talk = source.open(world.get_executor());
    answer first, second, third;
    talk.async_load(first.handler());
    CHECK_FALSE(first.ec);  // never inside the function
    world.poll();
    CHECK(first.said.missing);
    CHECK(first.said.note == "no document was set");
    source.set("a: 1", weir::config::format::yaml);
    talk.async_load(second.handler());
    world.poll();
    CHECK_FALSE(second.said.missing);
    CHECK(second.said.document.bytes == "a: 1");
    CHECK(second.said.document.format == weir::config::format::yaml);
    source.remove();
    talk.async_load(third.handler());
    world.poll();
    CHECK(third.said.missing);
}

TEST_CASE("memory: wakes who waits for a change, and only then")
{
    weir::testing::virtual_time world;
    memory source("{}");
    auto talk = source.open(world.get_executor());
    answer first, next, again;
    talk.async_load(first.handler());
    world.poll();
    talk.async_await_change(first.said.document.version, next.handler());
    world.poll();
    CHECK_FALSE(next.ec);
    auto copy = source;  // copies share the document
    copy.set("{\"a\":1}");
    world.poll();
    REQUIRE(next.ec);
    CHECK(next.said.document.bytes == "{\"a\":1}");
    CHECK(next.said.document.version != first.said.document.version);
    talk.async_await_change(first.said.document.version, again.handler());  // a change that was missed
    world.poll();
    CHECK(again.said == next.said);
}

TEST_CASE("memory: a wait can be cancelled")
{
    weir::testing::virtual_time world;
    memory source("{}");
    auto talk = source.open(world.get_executor());
    answer first, next;
    talk.async_load(first.handler());
    world.poll();
    asio::cancellation_signal stop;
    talk.async_await_change(first.said.document.version, asio::bind_cancellation_slot(stop.slot(), next.handler()));
    world.poll();
    stop.emit(asio::cancellation_type::terminal);
    world.poll();
    REQUIRE(next.ec);
    CHECK(*next.ec == asio::error::operation_aborted);
}
