// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/lease.hpp>

#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

using weir::registry::health;
using weir::registry::lease;
using weir::registry::lease_event;
namespace asio = boost::asio;

namespace {

// What a keeper is to a lease, writing down what it is told.
struct state final : weir::registry::detail::lease_state {
    using lease_state::lease_state;
    std::string told;
    void stop() override { told += "stop "; }
    void remove() override { told += "remove "; }
    void set_state(health h) override { told += std::string(to_string(h)) + " "; }
    void update(weir::registry::registration r) override { told += "update-" + r.id + " "; }
    void drain(weir::duration) override { told += "drain "; }
};

struct scene {
    weir::testing::virtual_time world;
    std::shared_ptr<state> s = std::make_shared<state>(
        world.get_executor(), weir::registry::registration{.service = "web", .address = "a", .port = 1, .id = "x"});
    lease held{s};
    std::vector<std::string> events;

    void wait(asio::cancellation_slot slot = {})
    {
        held.async_wait_event(asio::bind_cancellation_slot(slot, [this](boost::system::error_code ec, lease_event e) {
            events.push_back(ec ? ec.message() : e.note);
        }));
        world.poll();
    }
};

lease_event event(std::string note, lease_event::kind k = lease_event::kind::registered)
{
    return {.what = k, .note = std::move(note)};
}

}  // namespace

TEST_CASE("lease: events come one at a time, oldest first, and wait for who asks late")
{
    scene s;
    s.wait();
    CHECK(s.events.empty());
    s.s->tell(event("one"));
    s.s->tell(event("two"));
    s.world.poll();
    CHECK(s.events == std::vector<std::string>{"one"});
    s.wait();
    CHECK(s.events.back() == "two");
}

TEST_CASE("lease: a cancelled wait takes no event away")
{
    scene s;
    asio::cancellation_signal stop;
    s.wait(stop.slot());
    s.s->tell(event("one"));  // on its way to the handler
    stop.emit(asio::cancellation_type::total);
    s.world.poll();
    CHECK(s.events.size() == 1);
    if (s.events[0] != "one") s.wait();
    CHECK(s.events.back() == "one");
}

TEST_CASE("lease: of unread events the newest sixteen are kept")
{
    scene s;
    for (int n = 0; n < 100; ++n) s.s->tell(event(std::to_string(n)));
    s.wait();
    CHECK(s.events.back() == "84");
}

TEST_CASE("lease: it knows whether the registry has it")
{
    scene s;
    CHECK_FALSE(s.held.registered());
    s.s->tell(event("", lease_event::kind::registered));
    CHECK(s.held.registered());
    s.s->tell(event("", lease_event::kind::refused));  // a heartbeat was, which does not undo it
    CHECK(s.held.registered());
    s.s->tell(event("", lease_event::kind::lost));
    CHECK_FALSE(s.held.registered());
    s.s->tell(event("", lease_event::kind::restored));
    CHECK(s.held.registered());
    s.s->finish({});
    CHECK_FALSE(s.held.registered());
}

TEST_CASE("lease: destroying or replacing it stops the heartbeats once and aborts the wait; moving does not")
{
    scene s;
    s.wait();
    lease other(std::move(s.held));
    CHECK_FALSE(bool(s.held));  // NOLINT
    CHECK(s.s->told.empty());
    other = lease();
    CHECK(s.s->told == "stop ");
    s.world.poll();
    CHECK(s.events == std::vector<std::string>{boost::system::error_code(asio::error::operation_aborted).message()});
}

TEST_CASE("lease: deregistering completes with the registry's answer; later waits are told that it is over")
{
    scene s;
    boost::system::error_code ec = weir::errc::stopped;
    s.held.async_deregister([&](boost::system::error_code e) { ec = e; });
    s.held.set_state(health::warning);
    s.world.poll();
    CHECK(s.s->told == "remove warning ");
    CHECK(ec == weir::errc::stopped);
    s.s->finish(weir::errc::registry_unavailable);
    s.world.poll();
    CHECK(ec == weir::errc::registry_unavailable);
    s.wait();
    CHECK(s.events.back() == make_error_code(weir::errc::stopped).message());
}

TEST_CASE("lease: an update keeps id and service, and is checked; draining is passed on and completes with the end")
{
    scene s;
    s.held.update({.service = "web", .address = "b", .port = 2});
    CHECK(s.s->told == "update-x ");
    CHECK_THROWS_WITH_AS(s.held.update({.service = "web", .address = "b", .port = 2, .id = "y"}),
                         doctest::Contains("registration.id must stay in an update: x"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(s.held.update({.service = "other", .address = "b", .port = 2}),
                         doctest::Contains("registration.service must stay in an update: web"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(s.held.update({.service = "web", .address = "b"}), doctest::Contains("registration.port"),
                         std::invalid_argument);
    CHECK(s.s->told == "update-x ");

    bool gone = false;
    s.held.async_drain(std::chrono::seconds(5), [&](boost::system::error_code ec) { gone = !ec; });
    s.world.poll();
    CHECK(s.s->told == "update-x drain ");
    CHECK_FALSE(gone);
    s.s->finish({});
    s.world.poll();
    CHECK(gone);
}
