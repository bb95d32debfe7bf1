// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/lease_backend.hpp>

#include <weir/registry/detail/session.hpp>

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <string>
#include <utility>

using weir::registry::health;
using weir::registry::listing_handler;
using weir::registry::query;
using weir::registry::registration;
using weir::registry::reply;
using weir::registry::reply_handler;
namespace asio = boost::asio;

namespace {

struct reader {
    void async_list(query const&, listing_handler) {}
    void async_await_change(query const&, std::string const&, listing_handler) {}
};
static_assert(!weir::registry::lease_backend<reader>);

struct writer : reader {
    std::string* said;
    void say(char what, registration const& r, reply_handler done) const
    {
        *said += what + r.id;
        done({}, reply{false, "note"});
    }
    void async_put(registration const& r, reply_handler done) { say('p', r, std::move(done)); }
    void async_beat(registration const& r, health h, reply_handler done)
    {
        say(h == health::warning ? 'w' : 'b', r, std::move(done));
    }
    void async_remove(registration const& r, reply_handler done) { say('r', r, std::move(done)); }
};
static_assert(weir::registry::lease_backend<writer>);

}  // namespace

TEST_CASE("lease_backend: a session passes questions on; one that cannot register says so, and not inside the question")
{
    asio::io_context io;
    std::string said, heard;
    auto const note = [&] {
        return reply_handler([&](boost::system::error_code ec, reply const& a) { heard += ec ? "E" : a.note; },
                             io.get_executor());
    };
    registration r;
    r.id = "1";
    weir::registry::detail::session_for<writer> able({{}, &said});
    able.put(r, note());
    able.beat(r, health::warning, note());
    able.remove(r, note());
    CHECK(said == "p1w1r1");
    CHECK(heard == "notenotenote");

    heard.clear();
    weir::registry::detail::session_for<reader> unable({});
    boost::system::error_code why;
    unable.put(r, reply_handler([&](boost::system::error_code ec, reply const& a) { why = ec, heard = a.note; },
                                io.get_executor()));
    CHECK(!why);
    io.poll();
    CHECK(why == std::errc::operation_not_supported);
    CHECK(heard == "this registry takes no registrations");
    unable.beat(r, health::passing, note());
    unable.remove(r, note());
    io.restart();
    io.poll();
    CHECK(heard == "this registry takes no registrationsEE");
}
