// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/weir.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::any_stage;

namespace {

struct no_token {
    no_token() = default;
    no_token(no_token&&) = default;
    no_token& operator=(no_token&&) = default;
    void record(weir::outcome const&, weir::time_point) noexcept {}
};
struct nameless_gate {
    weir::admission<no_token> admit(weir::time_point) { return no_token{}; }
};
struct named_gate : nameless_gate {
    [[nodiscard]] std::string_view name() const { return "tollbooth"; }
};
struct talking_gate : nameless_gate {
    [[nodiscard]] std::string describe() const { return "a gate with 3 lanes"; }
};

std::string text(any_stage const& s) { return s.text(); }

}  // namespace

TEST_CASE("describe: the picture of the design, on one line, in ASCII, and nested")
{
    weir::retry_budget budget;
    weir::token_bucket bucket{{.rate = weir::per_second(500), .burst = 50}};
    weir::circuit_breaker breaker;
    auto p = weir::pipeline(weir::deadline(2s), bucket,
                            weir::retry({.max_attempts = 3, .backoff = weir::exponential(50ms, 2s)}, budget), breaker,
                            weir::attempt_timeout(300ms));
    auto const line =
        "call ── deadline 2s ── token_bucket 500/s burst 50 ──╢ retry 3 after 50ms..2s ╟── circuit_breaker 50% "
        "failures, open 5s ── attempt_timeout 300ms ── operation";
    CHECK(weir::describe(p) == line);
    CHECK(weir::describe(p, weir::describe_style::ascii) ==
          "call -- deadline 2s -- token_bucket 500/s burst 50 --[ retry 3 after 50ms..2s ]-- circuit_breaker 50% "
          "failures, open 5s -- attempt_timeout 300ms -- operation");
    auto const nested = R"(call
  deadline 2s
  token_bucket 500/s burst 50
  retry 3 after 50ms..2s, around
    circuit_breaker 50% failures, open 5s
    attempt_timeout 300ms
    operation
)";
    CHECK(weir::describe(p, weir::describe_style::nested) == nested);

    weir::any_pipeline erased(std::move(p));
    CHECK(weir::describe(erased) == line);
    CHECK(weir::describe(erased, weir::describe_style::nested) == nested);
    CHECK(weir::describe(weir::any_pipeline()) == "call ── operation");
}

TEST_CASE("describe: what is reconfigured is shown as it is now")
{
    weir::token_bucket bucket{{.rate = weir::per_second(500), .burst = 50}};
    weir::circuit_breaker breaker;
    auto p = weir::pipeline(bucket, breaker);
    bucket.reconfigure({.rate = weir::per_minute(90), .burst = 7});
    breaker.reconfigure({.failure_rate = 0.125, .open_for = 90s, .max_open_for = 1h, .dry_run = true});
    CHECK(weir::describe(p) ==
          "call ── token_bucket 1.5/s burst 7 ── circuit_breaker 12.5% failures, open 1.5min, dry run ── operation");
}

TEST_CASE("describe: each stage with the options that matter, in human units")
{
    weir::retry_budget budget;
    CHECK(text(weir::leaky_bucket({.rate = weir::per_minute(30), .max_wait = 1500ms})) ==
          "leaky_bucket 30/min wait 1.5s burst 1");
    CHECK(text(weir::sliding_window_limiter({.limit = 100, .window = 10s})) == "sliding_window_limiter 100 per 10s");
    CHECK(text(weir::fixed_window({.limit = 5, .window = 24h})) == "fixed_window 5 per 24h");
    CHECK(text(weir::sliding_window_log({.limit = 5, .window = 333us})) == "sliding_window_log 5 per 333us");
    weir::concurrency_limit slots{{.limit = 8, .name = "slots"}};
    CHECK(text(slots) == "slots 8");
    weir::keyed_limiter<std::string> keyed{{.capacity = 1000}};
    CHECK(text(keyed) == "keyed_limiter for 1000 keys");
    CHECK(text(weir::dry_run{weir::token_bucket{{.rate = weir::per_second(10), .burst = 1}}, {.enforce = 0.1}}) ==
          "dry_run enforce 10% of token_bucket 10/s burst 1");
    weir::chaos trouble(1);
    CHECK(text(trouble) == "chaos off");
    CHECK(text(weir::retry({.max_attempts = 1})) == "retry 1, no budget");
    CHECK(text(weir::retry({.max_attempts = 2, .backoff = weir::constant(20ms), .max_elapsed = 1h}, budget)) ==
          "retry 2 after 20ms within 1h");
    CHECK(text(weir::hedge({.delay = 50ms, .max_extra = 2}, budget)) == "hedge 2 after 50ms");
    CHECK(text(weir::hedge({}, budget)) == "hedge 1 after p95");
    CHECK(text(weir::enough_time()) == "enough_time");
    CHECK(text(weir::deadline(1h + 1s)) == "deadline 3601s");
    CHECK(text(weir::deadline(1ns)) == "deadline 1ns");
    CHECK(text(weir::deadline(weir::duration::max())) == "deadline unlimited");
    CHECK(text(weir::unchecked_order()) == "unchecked_order");
}

TEST_CASE("describe: a gate of one's own is shown by what it says, by its name, or by its type's")
{
    CHECK(text(nameless_gate()) == "nameless_gate");
    CHECK(text(named_gate()) == "tollbooth");
    CHECK(text(talking_gate()) == "a gate with 3 lanes");
    CHECK(text(weir::dry_run{talking_gate()}) == "dry_run enforce 0% of a gate with 3 lanes");
}
