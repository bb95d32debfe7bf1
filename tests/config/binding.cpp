// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/binding.hpp>

#include <weir/breaker/circuit_breaker.hpp>
#include <weir/limit/adaptive_limit.hpp>
#include <weir/limit/aimd.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/limit/sliding_window_log.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/shared/memory_store.hpp>
#include <weir/shared/shared_limit.hpp>
#include <weir/testing/manual_clock.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>

#include <chrono>
#include <string>

using namespace std::chrono_literals;
using weir::config::binding;
using weir::config::findings;
namespace json = boost::json;

namespace {

json::object doc(std::string_view text) { return json::parse({text.data(), text.size()}).as_object(); }

std::string refused(binding& b, std::string_view text) { return to_text(b.apply(doc(text))); }

}  // namespace

TEST_CASE("binding: a document changes the policies it names, and they keep their state")
{
    weir::testing::manual_clock clock;
    weir::token_bucket_options const made{.rate = weir::per_second(10), .burst = 10, .lease = 0ns};
    weir::basic_token_bucket<weir::testing::manual_clock> bucket{made, clock};
    weir::basic_circuit_breaker<weir::testing::manual_clock> breaker{{}, clock};
    binding b;
    b.bind("limits.checkout", bucket, made).bind("breakers.inventory", breaker, {});
    CHECK(bucket.try_acquire(10));
    breaker.admit()->record(weir::outcome::failure(1ms), clock.now());
    CHECK(refused(b, R"({"limits":{"checkout":{"rate":"100/s","burst":20}},
                         "breakers":{"inventory":{"failure_rate":"20%","minimum_calls":2,"open_for":"1m"}}})") == "");
    CHECK(b.changed() == std::vector<std::string>{"limits.checkout", "breakers.inventory"});
    CHECK(bucket.available() <= 10);  // the ten that were spent stay spent
    clock.advance(100ms);
    CHECK(bucket.available() <= 20);
    clock.advance(1s);
    CHECK(bucket.available() == 20);
    breaker.admit()->record(weir::outcome::failure(1ms), clock.now());  // the first one still counts
    CHECK(breaker.state() == weir::circuit_state::open);
    clock.advance(59s);
    CHECK(breaker.state() == weir::circuit_state::open);
    clock.advance(1s);
    CHECK(breaker.state() == weir::circuit_state::half_open);
}

TEST_CASE("binding: with one fault anywhere nothing is changed anywhere")
{
    weir::concurrency_limit first, second;
    binding b;
    b.bind("a", first, {}).bind("b", second, {});
    CHECK(refused(b, R"({"a":{"limit":3},"b":{"limit":0}})") == "b.limit = 0: must be from 1 to 1000000000");
    CHECK(first.limit() == 25);
    CHECK(refused(b, R"({"a":{"limit":3},"b":{"limit":4}})") == "");
    CHECK(first.limit() == 3);
    CHECK(second.limit() == 4);
}

TEST_CASE("binding: what a policy refuses only when it is reconfigured is refused whole, too")
{
    // A log's capacity is of its construction: built anew with a limit of 50, it would have had one of 50.
    weir::concurrency_limit before;
    weir::sliding_window_log log{{.limit = 10}};
    weir::concurrency_limit after;
    binding b;
    b.bind("a", before, {}).bind("b", log, {.limit = 10}).bind("c", after, {});
    CHECK(refused(b, R"({"a":{"limit":7}})") == "");
    auto const why = refused(b, R"({"a":{"limit":3},"b":{"limit":50},"c":{"limit":4}})");
    CHECK(why.find("b: sliding_window_log_options.limit must be") == 0);
    CHECK(before.limit() == 7);  // changed, and changed back
    CHECK(after.limit() == 25);
}

TEST_CASE("binding: only sections that are different are reconfigured")
{
    weir::concurrency_limit first, second;
    binding b;
    b.bind("a", first, {}).bind("b", second, {});
    using keys = std::vector<std::string>;
    CHECK(refused(b, R"({"a":{"limit":3}})") == "");
    CHECK(b.changed() == keys{"a", "b"});  // the first document counts for all
    CHECK(refused(b, R"({"a":{"limit":3}})") == "");
    CHECK(b.changed() == keys{});
    CHECK(refused(b, R"({"a":{"limit":3},"b":{"limit":5}})") == "");
    CHECK(b.changed() == keys{"b"});
    CHECK(refused(b, R"({"a":{"limit":0}})") != "");
    CHECK(refused(b, R"({"b":{"limit":5}})") == "");
    CHECK(b.changed() == keys{"a"});
}

TEST_CASE("binding: what the document leaves out has the value it was bound with")
{
    weir::concurrency_limit limit{{.limit = 40}};
    binding b;
    b.bind("limits.db", limit, {.limit = 40});
    CHECK(refused(b, R"({"limits":{"db":{"limit":5}}})") == "");
    CHECK(limit.limit() == 5);
    CHECK(refused(b, R"({"limits":{"db":{"max_queue":7}}})") == "");
    CHECK(limit.limit() == 40);
    CHECK(refused(b, R"({"limits":{"db":{"limit":6}}})") == "");
    CHECK(refused(b, R"({})") == "");
    CHECK(limit.limit() == 40);
}

TEST_CASE("binding: bound without its options, a section must be there")
{
    weir::concurrency_limit limit;
    binding b;
    b.bind("limits.db", limit);
    CHECK(refused(b, "{}") == "limits.db: is missing");
    CHECK(refused(b, R"({"limits":{"db":{}}})") == "");
}

TEST_CASE("binding: a key that nobody is bound to is refused, with the one that was meant")
{
    weir::token_bucket bucket;
    weir::circuit_breaker breaker;
    binding b;
    b.bind("limits.checkout", bucket, {}).bind("breakers.inventory", breaker, {}).ignore("notes");
    CHECK(refused(b, R"({"limit":{"checkout":{}}})") == "limit: is unknown; did you mean \"limits\"?");
    CHECK(refused(b, R"({"limits":{"chekcout":{}}})") == "limits.chekcout: is unknown; did you mean \"checkout\"?");
    CHECK(refused(b, R"({"limits":{"checkout":{"brust":3}}})") ==
          "limits.checkout.brust: is unknown; did you mean \"burst\"?");
    CHECK(refused(b, R"({"limits":{"checkout":{"qqqqqqqq":"s3cret"}}})") ==
          "limits.checkout.qqqqqqqq: is unknown; there is rate, burst, lease, name");
    CHECK(refused(b, R"({"limits":3})") == "limits: must be an object");
    CHECK(refused(b, R"({"limits":{"checkout":3}})") ==
          "limits.checkout = 3: must be an object, as in {\"name\": value}");
    CHECK(refused(b, R"({"notes":{"anything":["goes"]}})") == "");
    CHECK(refused(b, R"({"limit":1,"limits":{"checkout":{"burst":-1,"rate":5}}})")
              .find("; limits.checkout.burst = -1: ") != std::string::npos);  // all findings at once
}

TEST_CASE("binding: what a policy says of its options is told in the words of the document")
{
    weir::token_bucket bucket;
    weir::circuit_breaker breaker;
    weir::basic_adaptive_limit<weir::aimd> adaptive;
    weir::keyed_limiter<int> keyed;
    binding b;
    b.bind("t", bucket, {}).bind("b", breaker, {}).bind("a", adaptive, {}).bind("k", keyed, {});
    CHECK(refused(b, R"({"t":{"burst":5000000000}})") == "t.burst = 5000000000: must be at most 1000000000");
    CHECK(refused(b, R"({"t":{"rate":"0/s"}})").find("t.rate = \"0/s\": permits must be at least 1") == 0);
    CHECK(refused(b, R"({"t":{"lease":"2s"}})") == "t.lease = \"2s\": must be 0 to 1000 ms");
    CHECK(refused(b, R"({"b":{"failure_rate":"120%"}})") == "b.failure_rate = \"120%\": must be in (0, 1]");
    CHECK(refused(b, R"({"b":{"window":{"calls":0}}})") == "b.window.calls = 0: must be in [1, 1000000]");
    CHECK(refused(b, R"({"b":{"open_for":"2m"}})") ==
          "b.max_open_for: must be at least open_for, and is 60000 ms");  // a bound of a field that is not there
    CHECK(refused(b, R"({"a":{"concurrency":{"decrease":2}}})") == "a.concurrency.decrease = 2: must be in [0.1, 1)");
    CHECK(refused(b, R"({"k":{"quotas":[{"rate":"10/s","burst":5000000000}]}})")
              .find("k.quotas[0].burst = 5000000000: ") == 0);
    CHECK(refused(b, R"({"k":{"quotas":[{},{}]}})").find("k: keyed_limiter_options.quotas.size must be as at") == 0);
    CHECK(refused(b, R"({"t":{"name":"other"}})") ==
          "t.name = \"other\": is set at construction and cannot be changed");
    CHECK(refused(b, R"({"t":{"name":"token_bucket"}})") == "");
}

TEST_CASE("binding: a limit that processes share changes, and what only construction sets stays")
{
    weir::testing::virtual_time world;
    weir::memory_store store(world.get_executor());
    weir::shared_limit_options const made{.rate = weir::per_second(100), .burst = 10, .name = "orders"};
    weir::shared_limit limit(world.get_executor(), store, made);
    weir::token_bucket bucket;
    binding b;
    b.bind("bucket", bucket, {}).bind("orders", limit, made);
    CHECK(refused(b, R"({"orders":{"rate":"50/s","burst":400,"nodes":4,"when_gone":"deny","strict":false}})") == "");
    CHECK(limit.get_options().rate == weir::per_second(50));
    CHECK(limit.get_options().burst == 400);
    CHECK(limit.get_options().when_gone == weir::without_store::deny);
    CHECK(limit.get_options().pause == made.pause);
    CHECK(limit.name() == "orders");

    CHECK(refused(b, R"({"orders":{"when_gone":"alow"}})") ==
          R"(orders.when_gone = "alow": is unknown; did you mean "allow"?)");
    CHECK(refused(b, R"({"orders":{"when_gone":1}})") == "orders.when_gone = 1: must be text in quotes");
    CHECK(refused(b, R"({"orders":{"name":"other"}})") ==
          R"(orders.name = "other": is set at construction and cannot be changed)");
    CHECK(b.check(doc(R"({"orders":{"hold":"2m"}})")).size() == 1);  // before anything is changed
    CHECK(refused(b, R"({"bucket":{"burst":7},"orders":{"hold":"2m"}})").find("orders.hold = \"2m\": must be ") == 0);
    CHECK(limit.get_options().burst == 400);
    CHECK(refused(b, "{}") == "");
    CHECK(limit.get_options().when_gone == weir::without_store::local_share);
}

TEST_CASE("binding: a live value changes, or is refused by its check")
{
    weir::config::live<weir::duration> patience(300ms, [](weir::duration d) {
        if (d <= 0ns) throw std::invalid_argument("must be above 0");
    });
    weir::config::live<weir::retry_options> retry({.max_attempts = 2}, [](auto const& o) { (void)weir::retry{o}; });
    binding b;
    b.bind("patience", patience).bind("retry", retry);
    CHECK(refused(b, R"({"patience":"1.5s","retry":{"backoff":{"base":"50ms","max":"2s","jitter":"none"}}})") == "");
    CHECK(*patience.get() == 1500ms);
    CHECK(retry.get()->max_attempts == 2);
    CHECK(retry.get()->backoff == weir::exponential(50ms, 2s).with(weir::jitter::none));
    CHECK(refused(b, R"({"patience":0})") == "patience = 0: must be above 0");
    CHECK(refused(b, R"({"retry":{"max_attempts":0}})") ==
          "retry.max_attempts = 0: must be at least 1 (1 means no retry)");
    CHECK(*patience.get() == 1500ms);
    CHECK(refused(b, "{}") == "");
    CHECK(*patience.get() == 300ms);
}

TEST_CASE("binding: the weights of a route, by the ids of its endpoints")
{
    weir::endpoint_set route({{.id = "blue", .host = "10.0.0.1", .port = 80, .weight = 100},
                              {.id = "green", .host = "10.0.0.2", .port = 80, .weight = 0}});
    auto const weight = [&](std::size_t n) { return route.snapshot()->members()[n].endpoint.weight; };
    binding b;
    b.bind("routes.checkout", route);
    CHECK(refused(b, R"({"routes":{"checkout":{"blue":90,"green":"10"}}})") == "");
    CHECK(weight(0) == 90);
    CHECK(weight(1) == 10);
    CHECK(refused(b, R"({"routes":{"checkout":{"grene":90}}})") ==
          "routes.checkout.grene: is unknown; did you mean \"green\"?");
    CHECK(refused(b, R"({"routes":{"checkout":{"green":4294967296}}})") ==
          "routes.checkout.green = 4294967296: must be at most 4294967295");
    CHECK(weight(1) == 10);
    CHECK(refused(b, "{}") == "");
    CHECK(weight(0) == 100);
}

TEST_CASE("binding: keys that would fight over a part of the document are refused")
{
    weir::token_bucket bucket;
    binding b;
    b.bind("limits.checkout", bucket, {});
    for (auto const* key : {"", "limits", "limits.checkout", "limits.checkout.rate", ".a", "a.", "a..b"})
        CHECK_THROWS_AS(b.bind(key, bucket, {}), std::invalid_argument);
    CHECK_THROWS_WITH(b.ignore("limits"),
                      "weir: \"limits\" cannot be bound beside \"limits.checkout\": one is part of the other");
    CHECK_NOTHROW(b.bind("limits.checkout2", bucket, {}));
}

TEST_CASE("binding: a document of nothing but faults is answered with a few")
{
    weir::token_bucket bucket;
    binding b;
    b.bind("limits.checkout", bucket, {});
    json::object many, inner;
    for (int n = 0; n < 1000; ++n) many[std::to_string(n)] = n, inner[std::to_string(n)] = n;
    CHECK(b.apply(many).size() == 20);
    CHECK(b.apply({{"limits", {{"checkout", inner}}}}).size() == 20);
}
