// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <support/answer_handler.hpp>
#include <weir/async/async_call.hpp>
#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/call/classify.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/http/classify.hpp>
#include <weir/http/client.hpp>
#include <weir/http/server.hpp>
#include <weir/http/trace_context.hpp>
#include <weir/retry/retry.hpp>

#include <doctest/doctest.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;
using http::format_traceparent;
using http::parse_traceparent;
using http::trace_context;
using weir::testing::answer_handler;

namespace {

std::string const trace_id = "4bf92f3577b34da6a3ce929d0e0e4736", span_id = "00f067aa0ba902b7";
std::string const known = "00-" + trace_id + "-" + span_id + "-01";

http::request with(std::vector<std::string> const& parents, std::vector<std::string> const& states = {})
{
    auto r = http::get("/");
    for (auto const& v : parents) r.insert("TraceParent", v);
    for (auto const& v : states) r.insert("TraceState", v);
    return r;
}

/// Gives what it is told to.
struct scripted_source {
    using result_type = std::uint64_t;
    std::vector<std::uint64_t> values;
    std::size_t given = 0;
    static constexpr std::uint64_t min() { return 0; }
    static constexpr std::uint64_t max() { return UINT64_MAX; }
    std::uint64_t operator()() { return values.at(given++); }
};

}  // namespace

TEST_CASE("trace_context: a traceparent of version 00 is read strictly")
{
    auto const t = parse_traceparent(known);
    REQUIRE(t);
    CHECK(t->trace_id.front() == 0x4b);
    CHECK(t->trace_id.back() == 0x36);
    CHECK(t->parent_id[1] == 0xf0);
    CHECK(t->parent_id.back() == 0xb7);
    CHECK(t->sampled);
    CHECK(t->state.empty());
    CHECK_FALSE(parse_traceparent("00-" + trace_id + "-" + span_id + "-00")->sampled);
    CHECK(parse_traceparent("00-" + trace_id + "-" + span_id + "-ff")->sampled);
    CHECK_FALSE(parse_traceparent("00-" + trace_id + "-" + span_id + "-fe")->sampled);
    // One digit is enough for an id.
    CHECK(parse_traceparent("00-00000000000000000000000000000001-0000000000000001-00"));

    std::string const nothing(32, '0');
    for (auto const& bad : {std::string(),
                            std::string("00"),
                            known + "-",
                            known + "-00",
                            known + " ",
                            " " + known,
                            known + ",",
                            "00-" + nothing + "-" + span_id + "-01",
                            "00-" + trace_id + "-" + nothing.substr(0, 16) + "-01",
                            "0-" + trace_id + "-" + span_id + "-01",
                            "000-" + trace_id + "-" + span_id + "-01",
                            "00-" + trace_id.substr(1) + "-" + span_id + "-01",
                            "00-" + trace_id + "-" + span_id.substr(1) + "-01",
                            "00-" + trace_id + "-" + span_id + "-1",
                            "00-" + trace_id + "-" + span_id + "-0g",
                            "00-" + trace_id + "-" + span_id + "-0A",
                            "00_" + trace_id + "-" + span_id + "-01",
                            "00-" + trace_id + "_" + span_id + "-01",
                            "00-" + trace_id + "-" + span_id + "_01",
                            "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + span_id + "-01",
                            "00-" + trace_id + "-00F067AA0BA902B7-01",
                            "00-.bf92f3577b34da6a3ce929d0e0e4736-" + span_id + "-01"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_traceparent(bad));
    }
    auto damaged = known;
    for (std::size_t n = 0; n < known.size(); ++n) {  // no place takes anything
        for (char const c : {'G', ' ', '\0', '\xff'}) {
            damaged[n] = c;
            CHECK_FALSE(parse_traceparent(damaged));
        }
        damaged[n] = known[n];
    }
    for (std::size_t n = 0; n < known.size(); ++n) CHECK_FALSE(parse_traceparent(known.substr(0, n)));
}

TEST_CASE("trace_context: of a later version what every version has is read, and written in 00; ff is none")
{
    auto const rest = known.substr(2);
    auto const of_later = known;
    for (auto const& later : {"cc" + rest, "01" + rest + "-", "fe" + rest + "-what comes later.", "01" + rest + "--"}) {
        CAPTURE(later);
        auto const t = parse_traceparent(later);
        REQUIRE(t);
        CHECK(format_traceparent(*t) == of_later);
    }
    for (auto const& bad : {"ff" + rest, "ff" + rest + "-x", "01" + rest + "x", "01" + rest + ".-", "CC" + rest,
                            "01" + rest.substr(0, rest.size() - 1), "0" + rest})
        CHECK_FALSE(parse_traceparent(bad));
}

TEST_CASE("trace_context: what is written reads the same; flags that are not known are zero")
{
    weir::random_engine random{7};
    for (int n = 0; n < 1000; ++n) {
        auto const t = http::new_trace(n % 2 == 0, random);
        CHECK(parse_traceparent(format_traceparent(t)) == t);
    }
    CHECK(format_traceparent(*parse_traceparent(known)) == known);
    CHECK(format_traceparent(*parse_traceparent(known.substr(0, 53) + "ff")) == known);
    CHECK(format_traceparent(*parse_traceparent(known.substr(0, 53) + "02")) == known.substr(0, 53) + "00");
}

TEST_CASE("trace_context: a child is a new span of the same trace, from the source that is given, and never zero")
{
    auto parent = *parse_traceparent(known);
    parent.state = "vendor=1";
    weir::random_engine one{1}, same{1};
    auto const child = http::child_of(parent, one);
    CHECK(child.trace_id == parent.trace_id);
    CHECK(child.parent_id != parent.parent_id);
    CHECK(child.sampled);
    CHECK(child.state == "vendor=1");
    CHECK(child == http::child_of(parent, same));
    CHECK(child != http::child_of(parent, same));

    scripted_source zeros{{0, 0, 0x0102030405060708}};
    CHECK(format_traceparent(http::child_of(parent, zeros)) == "00-" + trace_id + "-0807060504030201-01");
    scripted_source more{{0, 0, 0, 1, 0, 2}};
    CHECK(format_traceparent(http::new_trace(false, more)) ==
          "00-00000000000000000100000000000000-0200000000000000-00");
}

TEST_CASE("trace_context: a request says it once or not at all, and its tracestate goes with it")
{
    CHECK_FALSE(http::trace_of(with({})));
    CHECK_FALSE(http::trace_of(with({}, {"a=1"})));
    CHECK_FALSE(http::trace_of(with({"00-x"}, {"a=1"})));
    CHECK_FALSE(http::trace_of(with({known, known})));
    CHECK(http::trace_of(with({known}))->state.empty());
    CHECK(http::trace_of(with({known}, {"a=1"}))->state == "a=1");
    CHECK(http::trace_of(with({known}, {"a=1,b=2", "", "c=3"}))->state == "a=1,b=2,c=3");
    CHECK(http::trace_of(with({known}, {std::string(4096, 'a')}))->state.size() == 4096);
    CHECK(http::trace_of(with({known}, {std::string(4000, 'a'), std::string(96, 'a')}))->state.empty());

    auto r = with({"x", "y"}, {"old=1", "old=2"});
    auto const t = *http::trace_of(with({known}, {"a=1"}));
    http::set_trace(r, t);
    CHECK(http::trace_of(r) == t);
    http::set_trace(r, *parse_traceparent(known));
    CHECK(r.count("tracestate") == 0);
    CHECK(http::traced(with({}), std::nullopt).count("traceparent") == 0);
    CHECK(http::traced(with({known}), std::nullopt).count("traceparent") == 1);
}

TEST_CASE("trace_context: a call that is made while a request is served carries on its trace, each attempt as a span")
{
    asio::io_context io{1};
    std::vector<trace_context> at_stock;
    http::server stock(io.get_executor(), [&](http::request const& r) {
        if (auto const t = http::trace_of(r)) at_stock.push_back(*t);
        return http::reply(at_stock.size() % 2 == 1 ? http::status::service_unavailable : http::status::ok, "12");
    });
    http::client client(io.get_executor());
    weir::endpoint_set const stocks({{"stock", "127.0.0.1", stock.port()}});
    weir::round_robin turns(stocks);
    auto guarded = weir::pipeline(weir::retry({.backoff = weir::constant(1ms)}), turns,
                                  weir::classify(http::classifier(http::verb::get)));
    http::server shop(io.get_executor(), [&](http::request r) -> asio::awaitable<http::response> {
        auto const ask = [&, trace = http::trace_of(r)](weir::attempt const& a) {
            return client.async_send(a, http::traced(http::get("/stock"), trace), asio::deferred);
        };
        co_return co_await guarded.async_call(ask, asio::use_awaitable);
    });

    bool done = false;
    client.async_send({"shop", "127.0.0.1", shop.port()}, with({known}, {"a=1"}), weir::never,
                      answer_handler([&](boost::system::error_code ec, http::response const& r) {
                          CHECK_FALSE(ec);
                          CHECK(r.body() == "12");
                          done = true;
                      }));
    while (!done) io.run_one();
    REQUIRE(at_stock.size() == 2);
    auto const parent = *parse_traceparent(known);
    for (auto const& t : at_stock) {
        CHECK(t.trace_id == parent.trace_id);
        CHECK(t.parent_id != parent.parent_id);
        CHECK(t.sampled);
        CHECK(t.state == "a=1");
    }
    CHECK(at_stock[0].parent_id != at_stock[1].parent_id);
}
