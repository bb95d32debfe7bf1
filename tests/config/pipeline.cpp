// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/pipeline.hpp>

#include <weir/balance/round_robin.hpp>
#include <weir/call/describe.hpp>
#include <weir/config/binding.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
namespace json = boost::json;
namespace config = weir::config;

namespace {

json::value doc(std::string_view text) { return json::parse({text.data(), text.size()}); }

std::string shape(config::pipeline& p)
{
    auto line = weir::describe(*p, weir::describe_style::ascii);
    return line.substr(8, line.size() - 21);  // without "call -- " and " -- operation"
}

struct running {
    weir::testing::manual_clock clock;
    config::pipeline guarded;

    explicit running(std::string_view text, config::pipeline_parts parts = {}) : guarded(doc(text), std::move(parts)) {}

    std::string apply(std::string_view text) { return to_text(guarded.apply(doc(text), clock.now())); }
    auto call(bool succeeds = true)
    {
        return guarded->call(
            [&](weir::attempt const&) -> weir::result<int> {
                clock.advance(1ms);
                if (succeeds) return 1;
                return weir::error(std::make_error_code(std::errc::io_error));
            },
            {.key = "k"}, clock);
    }
    /// How many of `n` calls are let through.
    int pass(int n)
    {
        int some = 0;
        while (n-- > 0) some += call().has_value();
        return some;
    }
};

}  // namespace

TEST_CASE("config::pipeline: a document makes a pipeline, every type of stage by its name")
{
    running r(R"({"stages": [
        {"deadline": "2s"}, {"token_bucket": {"rate": "500/s", "burst": 50}}, {"leaky_bucket": {"rate": "10/s"}},
        {"fixed_window": {"limit": 9}}, {"sliding_window_limiter": {"limit": 7, "window": "10s"}},
        {"sliding_window_log": {"limit": 3, "window": "1m"}}, {"striped_token_bucket": {}}, {"warm_up": {}},
        {"keyed_limiter": {"quotas": [{"rate": "1/s", "burst": 2}], "capacity": 100}}, "load_shedder",
        {"retry": {"max_attempts": 4, "backoff": {"base": "50ms", "max": "2s"}}},
        {"hedge": {"delay": "30ms"}}, {"concurrency_limit": {"limit": 8}}, "aimd", "vegas", "gradient2",
        "littles_law", {"circuit_breaker": {"open_for": "7s"}}, {"keyed_breakers": {"capacity": 10}}, "throttle",
        {"enough_time": {"quantile": "75%"}}, {"attempt_timeout": "300ms"}]})");
    CHECK(shape(r.guarded).starts_with("deadline 2s -- token_bucket 500/s burst 50 -- leaky_bucket 10/s"));
    CHECK(shape(r.guarded).find("--[ retry 4 after 50ms..2s ]--[ hedge 1 after 30ms ]-- concurrency_limit 8") !=
          std::string::npos);
    CHECK(shape(r.guarded).ends_with("enough_time -- attempt_timeout 300ms"));
    CHECK(r.call());
}

TEST_CASE("config::pipeline: a new document reconfigures in place, and the state is kept")
{
    running r(R"([{"token_bucket": {"rate": "1/h", "burst": 3}}, {"circuit_breaker": {"minimum_calls": 4}}])");
    CHECK(r.pass(3) == 3);
    CHECK(r.pass(1) == 0);
    SUBCASE("as it is")
    {
        CHECK(
            r.apply(R"([{"token_bucket": {"rate": "1/h", "burst": 3}}, {"circuit_breaker": {"minimum_calls": 4}}])") ==
            "");
        CHECK(r.pass(1) == 0);
    }
    SUBCASE("with other numbers: what was spent stays spent")
    {
        CHECK(r.apply(R"([{"token_bucket": {"rate": "1/h", "burst": 5}}, {"circuit_breaker": {}}])") == "");
        CHECK(r.pass(9) == 2);
    }
    SUBCASE("in another place, among others")
    {
        CHECK(r.apply(R"([{"deadline": "1s"}, {"retry": {}}, {"concurrency_limit": {}},
                          {"token_bucket": {"rate": "1/h", "burst": 4}}])") == "");
        CHECK(shape(r.guarded) ==
              "deadline 1s --[ retry 3 after 100ms..10s ]-- concurrency_limit 25 -- token_bucket 1/h burst 4");
        CHECK(r.pass(9) == 1);
    }
    SUBCASE("by another name it is another one")
    {
        CHECK(r.apply(R"([{"token_bucket": {"rate": "1/h", "burst": 3, "name": "second"}}])") == "");
        CHECK(r.pass(9) == 3);
        CHECK(r.call().error().refused->gate == "second");
    }
    SUBCASE("taken out and put back, it begins anew")
    {
        CHECK(r.apply("[]") == "");
        CHECK(r.pass(9) == 9);
        CHECK(r.apply(R"([{"token_bucket": {"rate": "1/h", "burst": 3}}])") == "");
        CHECK(r.pass(9) == 3);
    }
    SUBCASE("what it leaves out is the default again")
    {
        CHECK(r.apply(R"([{"token_bucket": {}}])") == "");
        CHECK(shape(r.guarded) == "token_bucket 100/s burst 10");
    }
}

TEST_CASE("config::pipeline: a breaker stays open through a new document, its calls in the window too")
{
    running r(R"([{"circuit_breaker": {"minimum_calls": 4, "open_for": "5s"}}])");
    for (int i = 0; i < 3; ++i) CHECK_FALSE(r.call(false));
    CHECK(r.apply(R"([{"circuit_breaker": {"minimum_calls": 4, "open_for": "9s"}}])") == "");
    CHECK_FALSE(r.call(false));
    CHECK(r.call().error().code == weir::errc::circuit_open);
    CHECK(
        r.apply(
            R"([{"deadline": "1s"}, {"circuit_breaker": {"minimum_calls": 4, "open_for": "1s", "failure_rate": 0.1}}])") ==
        "");
    CHECK(r.call().error().code == weir::errc::circuit_open);
    r.clock.advance(9s);
    CHECK(r.call());
}

TEST_CASE("config::pipeline: a bad document is refused with key, value and range, and the old one stays")
{
    running r(R"({"stages": [{"token_bucket": {"rate": "1/h", "burst": 3}}, {"keyed_limiter": {"capacity": 50}}],
                  "retry_budget": {"max": 5}})");
    auto const before = shape(r.guarded);
    auto const refused = [&](std::string_view text, std::string_view why) {
        CHECK(r.apply(text) == why);
        CHECK_THROWS_AS(r.guarded.check(doc(text)), std::invalid_argument);
        CHECK_THROWS_AS(config::pipeline(doc(text)), std::invalid_argument);
        CHECK(shape(r.guarded) == before);
    };
    refused(R"([{"token_bucket": {"rate": "1/h", "burst": 5000000000}}])",
            "stages[0].token_bucket.burst = 5000000000: must be at most 1000000000");
    refused(R"([{"token_bucket": {"burst": 9}}, {"attempt_timeout": "0"}])",
            "stages[1].attempt_timeout = \"0\": attempt_timeout must be above 0 ms, and is 0 ms");
    refused(R"([{"deadline": "2"}])",
            "stages[0].deadline = \"2\": has no unit: write a number and a unit of ns, us, ms, s, m, h, d, as in "
            "\"250ms\", \"1.5s\" or \"1h30m\"");
    refused(R"([{"tokn_bucket": {}}])", "stages[0].tokn_bucket: is unknown; did you mean \"token_bucket\"?");
    refused(R"([{"circuit_breaker": {"failure_ratio": 0.5}}])",
            "stages[0].circuit_breaker.failure_ratio: is unknown; did you mean \"failure_rate\"?");
    refused(R"([{"retry": {}}, {"deadline": "2s"}])",
            "stages: weir::pipeline: deadline bounds the whole call, so it stands left of retry; for one attempt write "
            "weir::attempt_timeout right of retry");
    refused(R"([{"vegas": {}}, {"vegas": {}}])", "stages[1].vegas: is there twice: give each a \"name\" of its own");
    refused(R"([{"deadline": "1s", "retry": {}}])",
            "stages[0]: has both \"deadline\" and \"retry\": a stage is one of them");
    refused("[7]", "stages[0]: must name one stage, as in {\"deadline\": \"2s\"}");
    refused(R"([{"use": "mine"}])", "stages[0].use = \"mine\": is unknown; nothing is expected here");
    refused(R"([{"token_bucket": {}, "enforce": 2}])", "stages[0].enforce = 2: must be from 0 to 1, or a percentage");
    refused(R"([{"retry": {}, "enforce": "120%"}])",
            "stages[0].enforce = \"120%\": must be from 0 to 1, or a percentage");
    refused(R"([{"deadline": "1s", "enforce": []}])", "stages[0].enforce = []: must be a number, as in 0.5 or \"50%\"");
    refused(R"({"stages": [], "retry_budget": {"max": 0}})", "retry_budget.max = 0: must be in [1, 1e9]");
    refused(R"({"stagse": []})",
            "stagse: is unknown; did you mean \"stages\"?; stages: must be a list of stages, outermost first, as in "
            "[{\"deadline\": \"2s\"}]");

    // Only a change of what is there.
    CHECK(r.apply(R"([{"token_bucket": {"burst": 9}}, {"keyed_limiter": {"capacity": 60}}])") ==
          "stages[1].keyed_limiter.capacity = 60: is set at construction and cannot be changed");
    CHECK(r.apply(R"({"stages": [], "retry_budget": {"initial": 3}})") ==
          "retry_budget.initial = 3: is set at construction and cannot be changed");
    CHECK(shape(r.guarded) == before);
    CHECK(r.pass(9) == 3);
}

TEST_CASE("config::pipeline: if a policy refuses at the last moment, those before it get back what they had")
{
    running r(
        R"([{"token_bucket": {"rate": "1/h", "burst": 3}}, {"keyed_limiter": {"quotas": [{"rate": "1/s", "burst": 9}]}}])");
    auto const before = shape(r.guarded);
    auto const why = r.apply(R"([{"token_bucket": {"rate": "1/h", "burst": 8}},
        {"keyed_limiter": {"quotas": [{"rate": "1/s", "burst": 9}, {"rate": "2/s", "burst": 9}]}}])");
    CHECK(why.find("quotas") != std::string::npos);
    CHECK(why.starts_with("stages[1]"));
    CHECK(shape(r.guarded) == before);
    CHECK(r.pass(9) == 3);
}

TEST_CASE("config::pipeline: a draft that was refused leaves nothing behind for the next")
{
    running r(R"([{"token_bucket": {"rate": "1/h", "burst": 1}}, {"deadline": "1s"}])");
    CHECK(
        r.apply(
            R"([{"token_bucket": {"rate": "1/h", "burst": 1}, "enforce": 0}, {"deadline": "9s"}, {"nonsense": 1}])") !=
        "");
    CHECK(r.apply(R"([{"token_bucket": {"rate": "1/h", "burst": 1}}, {"deadline": "1s"}])") == "");
    CHECK(shape(r.guarded) == "token_bucket 1/h burst 1 -- deadline 1s");
    CHECK(r.pass(3) == 1);
}

TEST_CASE("config::pipeline: enforcement goes up in steps, on the same gate")
{
    running r(R"([{"token_bucket": {"rate": "1/h", "burst": 2}, "enforce": 0}])");
    CHECK(shape(r.guarded) == "dry_run enforce 0% of token_bucket 1/h burst 2");
    CHECK(r.pass(9) == 9);
    CHECK(r.apply(R"([{"token_bucket": {"rate": "1/h", "burst": 2}, "enforce": "100%"}])") == "");
    CHECK(r.pass(9) == 0);
    CHECK(r.apply(R"([{"token_bucket": {"rate": "1/h", "burst": 3}}])") == "");
    CHECK(shape(r.guarded) == "token_bucket 1/h burst 3");
    CHECK(r.pass(9) == 1);
    CHECK(r.apply(R"([{"keyed_limiter": {"quotas": [{"rate": "1/h", "burst": 1}]}, "enforce": "0%"}])") == "");
    CHECK(r.pass(9) == 9);
}

TEST_CASE("config::pipeline: rules are enforced in steps, too")
{
    auto const with = [](std::string_view stages) {
        return R"({"retry_budget": {"max": 99, "initial": 99}, "stages": [)" + std::string(stages) + "]}";
    };
    running r(with(R"({"retry": {}, "enforce": 0}, {"attempt_timeout": "1s", "enforce": "0%"})"));
    CHECK(shape(r.guarded) ==
          " dry_run enforce 0% of retry 3 after 100ms..10s ]-- dry_run enforce 0% of attempt_timeout 1s");
    auto const attempts = [&] {
        int n = 0;
        (void)r.guarded->call(
            [&](weir::attempt const&) -> weir::result<int> {
                ++n;
                return weir::error(std::make_error_code(std::errc::connection_reset));
            },
            r.clock);
        return n;
    };
    CHECK(attempts() == 1);
    CHECK(r.apply(with(R"({"retry": {}, "enforce": 1})")) == "");
    CHECK(attempts() == 3);
    CHECK(r.apply(with(R"({"retry": {}, "enforce": 0}, {"nonsense": 1})")) != "");
    CHECK(r.apply(with(R"({"retry": {}, "enforce": 1})")) == "");
    CHECK(attempts() == 3);
    CHECK(r.apply(with(R"({"retry": {}, "enforce": 0})")) == "");
    CHECK(attempts() == 1);
    CHECK(r.apply(with(R"({"retry": {}})")) == "");
    CHECK(attempts() == 3);
}

TEST_CASE("config::pipeline: a hedge and an enough_time whose section changes keep what they have learnt")
{
    running r(R"([{"deadline": "1s"}, {"enough_time": {"min_samples": 3}}])");
    auto const in_time = [&] {
        return r.guarded->call([&](weir::attempt const&) { return 1; }, {.deadline = r.clock.now() + 10us}, r.clock)
            .has_value();
    };
    CHECK(in_time());  // too little is known
    for (int i = 0; i < 3; ++i) CHECK(r.call());
    CHECK_FALSE(in_time());
    CHECK(r.apply(R"([{"deadline": "1s"}, {"enough_time": {"min_samples": 3}, "enforce": 1}])") == "");
    CHECK_FALSE(in_time());
    CHECK(r.apply(R"([{"deadline": "2s"}, {"enough_time": {"min_samples": 3, "quantile": 0.5}}])") == "");
    CHECK_FALSE(in_time());
    CHECK(r.apply(R"([{"deadline": "2s"}, {"enough_time": {"min_samples": 3, "quantile": 0.6}}])") == "");
    CHECK(in_time());  // another quantile is learnt from the beginning
    CHECK(r.apply(R"([{"hedge": {"delay": {"min_samples": 3}, "max_extra": 1}}])") == "");
    auto const hedge_in = [&]() -> weir::hedge& { return *weir::detail::rule_in(r.guarded->pin()->stage<3>()); };
    for (int i = 0; i < 3; ++i) hedge_in().record(20ms, r.clock.now());
    CHECK(hedge_in().delay(r.clock.now()) >= 20ms);
    CHECK(r.apply(R"([{"hedge": {"delay": {"min_samples": 3}, "max_extra": 2}, "enforce": 0}])") == "");
    CHECK(hedge_in().get_options().max_extra == 2);
    CHECK(hedge_in().delay(r.clock.now()) >= 20ms);
    CHECK(r.apply(R"([{"hedge": {"delay": {"min_samples": 4}}}])") == "");
    CHECK_FALSE(hedge_in().delay(r.clock.now()));
    CHECK(r.apply(R"([{"hedge": {"delay": "5ms"}}])") == "");
    CHECK(hedge_in().delay(r.clock.now()) == 5ms);
}

TEST_CASE("config::pipeline: chaos is a stage, with a seed that stays")
{
    running r(R"([{"chaos": {"seed": 7, "enabled": true, "fault_rate": "100%", "fault": "host_unreachable"}}])");
    CHECK(shape(r.guarded) == "chaos on");
    CHECK(r.call().error().code == std::errc::host_unreachable);
    CHECK(r.apply(R"([{"chaos": {"seed": 7, "enabled": true, "latency_rate": 1, "latency": "2s"}}])") == "");
    auto const begin = r.clock.now();
    CHECK(r.call());
    CHECK(r.clock.now() - begin == 2001ms);
    auto const refused = [&](std::string_view text, std::string_view why) { CHECK(r.apply(text) == why); };
    refused(R"([{"chaos": {"seed": 8}}])", "stages[0].chaos.seed = 8: is set at construction and cannot be changed");
    refused(R"([{"chaos": {"enabled": true}}])", "stages[0].chaos.seed: must be given, so that a run can be repeated");
    refused(R"([{"chaos": {"seed": 7, "fault": "connection_rest"}}])",
            "stages[0].chaos.fault = \"connection_rest\": is unknown; did you mean \"connection_reset\"?");
    refused(R"([{"chaos": {"seed": 7, "fault_rate": 2}}])", "stages[0].chaos.fault_rate = 2: must be from 0 to 1");
    CHECK(r.apply(R"([{"chaos": {"seed": 7}}])") == "");
    CHECK(shape(r.guarded) == "chaos off");
    CHECK_THROWS_AS(config::pipeline(doc(R"(["chaos"])")), std::invalid_argument);
}

TEST_CASE("config::pipeline: stages of the program's own stand where the document says")
{
    weir::endpoint_set set{{{"a", "10.0.0.1", 80}}};
    weir::round_robin turns(set);
    auto const budget = std::make_shared<weir::retry_budget>(weir::retry_budget_options{.initial = 0});
    running r(R"([{"retry": {}}, {"use": "turns"}])", {.own = {{"turns", turns}}, .budget = budget});
    CHECK(weir::describe(*r.guarded) == "call ──╢ retry 3 after 100ms..10s ╟── round_robin ── operation");
    auto const at = r.guarded->call([](weir::attempt const& a) { return a.endpoint().id; }, r.clock);
    CHECK(at.value() == "a");
    CHECK(budget->tokens() == doctest::Approx(0.1));
    CHECK(r.apply(R"([{"use": "turns"}, {"retry": {}}])").find("a balancer left of retry") != std::string::npos);
    CHECK(r.apply(R"([{"use": "turn"}])") == "stages[0].use = \"turn\": is unknown; did you mean \"turns\"?");
    CHECK(r.apply(R"({"stages": [], "retry_budget": {}})") ==
          "retry_budget: is the program's own here, and shared with others");
}

TEST_CASE("config::pipeline: the budget is the document's, and keeps its tokens")
{
    running r(R"({"stages": [{"retry": {"backoff": {"base": "1ms"}}}], "retry_budget": {"initial": 2, "max": 2}})");
    auto const attempts = [&] {
        unsigned n = 0;
        (void)r.guarded->call(
            [&](weir::attempt const& a) {
                n = a.number();
                return std::make_error_code(std::errc::connection_reset);
            },
            r.clock);
        return n;
    };
    CHECK(attempts() == 3);
    CHECK(r.apply(R"({"stages": [{"retry": {"max_attempts": 5}}], "retry_budget": {"initial": 2, "max": 9}})") == "");
    CHECK(attempts() == 1);
}

TEST_CASE("config::pipeline: a call in flight goes on by the rules it began with")
{
    running r(R"([{"retry": {"max_attempts": 2, "backoff": {"base": "1ms"}}}])");
    auto const answer = r.guarded->call(
        [&](weir::attempt const& a) -> weir::result<unsigned> {
            if (a.number() == 2) return 2u;
            CHECK(r.apply("[]") == "");
            return weir::error(std::make_error_code(std::errc::connection_reset));
        },
        r.clock);
    CHECK(answer.value() == 2);
}

TEST_CASE("config::pipeline: one section of a larger document, through a binding")
{
    config::pipeline checkout(doc(R"([{"deadline": "2s"}])"));
    config::binding all;
    all.bind("pipelines.checkout", checkout, doc(R"([{"deadline": "2s"}])"));
    CHECK(to_text(all.apply(doc(R"({"pipelines": {"checkout": [{"deadline": "3s"}, "vegas"]}})").as_object())) == "");
    CHECK(shape(checkout).starts_with("deadline 3s -- adaptive_limit"));
    auto const why =
        to_text(all.apply(doc(R"({"pipelines": {"checkout": {"stages": [{"deadline": "-3s"}]}}})").as_object()));
    CHECK(why.starts_with("pipelines.checkout = "));
    CHECK(why.find("in stages[0].deadline = \"-3s\"") != std::string::npos);
    CHECK(shape(checkout).starts_with("deadline 3s -- adaptive_limit"));
    CHECK(to_text(all.apply(json::object())) == "");
    CHECK(shape(checkout) == "deadline 2s");
}
