// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A pipeline out of a configuration document: assembled at run time, drawn for the log, and reconfigured in place when
// the document changes, under load and with its state kept. A bad document changes nothing and says what is wrong.
//
// Expected output:
//   call ── deadline 2s ── token_bucket 1/s burst 5 ──╢ retry 3 after 50ms..2s ╟── attempt_timeout 300ms ── operation
//   five calls: 5 served
//   five more:  0 served
//   refused:    stages[1].token_bucket.burst = "5 million": is not a count: write a whole number, as in 100
//   call
//     deadline 1s
//     token_bucket 1/s burst 7
//     retry 5 after 50ms..2s, around
//       circuit_breaker 50% failures, open 5s
//       attempt_timeout 300ms
//       operation
//   five calls: 2 served (a burst of 7, and 5 of it were spent before)

#include <weir/call/describe.hpp>
#include <weir/config/pipeline.hpp>
#include <weir/testing/manual_clock.hpp>

#include <boost/json/parse.hpp>

#include <iostream>

namespace json = boost::json;

namespace {

auto const first = json::parse(R"([
    {"deadline": "2s"},
    {"token_bucket": {"rate": "1/s", "burst": 5}},
    {"retry": {"max_attempts": 3, "backoff": {"base": "50ms", "max": "2s"}}},
    {"attempt_timeout": "300ms"}])");

auto const mistaken = json::parse(R"([
    {"deadline": "1s"},
    {"token_bucket": {"rate": "1/s", "burst": "5 million"}}])");

auto const second = json::parse(R"([
    {"deadline": "1s"},
    {"token_bucket": {"rate": "1/s", "burst": 7}},
    {"retry": {"max_attempts": 5, "backoff": {"base": "50ms", "max": "2s"}}},
    {"circuit_breaker": {"open_for": "5s"}},
    {"attempt_timeout": "300ms"}])");

}  // namespace

int main()
{
    weir::testing::manual_clock clock;  // so that the output is always the same
    weir::config::pipeline guarded(first);
    std::cout << weir::describe(*guarded) << '\n';

    auto const five_calls = [&] {
        int served = 0;
        for (int i = 0; i < 5; ++i) served += guarded->call([](weir::attempt const&) { return 42; }, clock).has_value();
        return served;
    };
    std::cout << "five calls: " << five_calls() << " served\n";
    std::cout << "five more:  " << five_calls() << " served\n";

    auto const wrong = guarded.apply(mistaken, clock.now());
    std::cout << "refused:    " << to_text(wrong) << '\n';

    if (guarded.apply(second, clock.now()).empty()) std::cout << weir::describe(*guarded, weir::describe_style::nested);
    std::cout << "five calls: " << five_calls() << " served (a burst of 7, and 5 of it were spent before)\n";
}
