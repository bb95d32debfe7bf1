// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/observe.hpp>

#include <weir/call/pipeline.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
using weir::attempt;
using weir::call_report;
using weir::duration;
using weir::errc;
using weir::no_retry;
using weir::outcome;
using weir::rejection;

namespace {

std::string text(outcome const& o) { return o.ok() ? "success" : o.failed() ? "failure" : "ignored"; }
std::string text(duration d) { return std::to_string(d / 1ms) + "ms"; }
std::string text(no_retry why)
{
    switch (why) {
        case no_retry::permanent: return "permanent";
        case no_retry::attempts: return "attempts";
        case no_retry::budget: return "budget";
        case no_retry::deadline: return "deadline";
        case no_retry::too_long: return "too_long";
        case no_retry::elapsed: return "elapsed";
        case no_retry::pushback: return "pushback";
        case no_retry::not_idempotent: return "not idempotent";
        case no_retry::dry_run: return "dry run";
    }
    return "?";
}

/// Writes down all it hears.
struct recorder {
    std::vector<std::string> heard{};

    void attempt_started(attempt const& a) { heard.push_back("started " + std::to_string(a.number())); }
    void attempt_ended(attempt const& a, outcome const& o)
    {
        heard.push_back("ended " + std::to_string(a.number()) + " " + text(o) + " " + text(o.latency));
    }
    void refused(rejection const& r) { heard.push_back("refused by " + std::string(r.gate)); }
    void retry_scheduled(unsigned so_far, duration wait)
    {
        heard.push_back("retry after " + std::to_string(so_far) + " in " + text(wait));
    }
    void retry_suppressed(no_retry why) { heard.push_back("no retry: " + text(why)); }
    void call_ended(call_report const& r)
    {
        heard.push_back("call " + std::to_string(r.attempts) + " " + text(r.last) + (r.refused ? " refused" : "") +
                        (r.cancelled ? " cancelled" : "") + " " + text(r.elapsed));
    }
};

struct throws_everywhere {
    int heard = 0;
    void attempt_started(attempt const&) { trouble(); }
    void attempt_ended(attempt const&, outcome const&) { trouble(); }
    void refused(rejection const&) { trouble(); }
    void retry_scheduled(unsigned, duration) { trouble(); }
    void retry_suppressed(no_retry) { trouble(); }
    void call_ended(call_report const&) { trouble(); }

    [[noreturn]] void trouble()
    {
        if (++heard % 2) throw std::runtime_error("an observer's");
        throw 42;
    }
};

/// Admits `left` calls.
class tickets {
public:
    struct token {
        token() = default;
        token(token&&) = default;
        token& operator=(token&&) = default;
        void record(outcome const&, weir::time_point) noexcept {}
    };
    explicit tickets(int left) : left_(left) {}
    weir::admission<token> admit(weir::time_point) noexcept
    {
        if (left_ == 0) return rejection{errc::rate_limited, weir::never, "tickets"};
        --left_;
        return token{};
    }

private:
    int left_;
};

auto pauses_of(duration d) { return weir::constant(d).with(weir::jitter::none); }

std::error_code reset() { return make_error_code(std::errc::connection_reset); }

using words = std::vector<std::string>;

}  // namespace

TEST_CASE("observe: hears each attempt, each pause and the end, in order, with their times")
{
    weir::testing::manual_clock clock;
    recorder seen;
    auto guarded = weir::pipeline(weir::observe(seen), weir::retry({.backoff = pauses_of(100ms)}));
    auto const r = guarded.call(
        [&](attempt const& a) -> weir::result<int> {
            clock.advance(7ms);
            if (a.number() == 1) return weir::error(reset());
            return 42;
        },
        clock);
    CHECK(*r == 42);
    CHECK(seen.heard == words{"started 1", "ended 1 failure 7ms", "retry after 1 in 100ms", "started 2",
                              "ended 2 success 7ms", "call 2 success 114ms"});
}

TEST_CASE("observe: hears who refused, before the first attempt and between two")
{
    weir::testing::manual_clock clock;
    recorder seen;
    {
        auto guarded = weir::pipeline(tickets(0), weir::observe(seen));
        (void)guarded.call([](attempt const&) { return 1; }, clock);
        CHECK(seen.heard == words{"refused by tickets", "call 0 ignored refused 0ms"});
    }
    seen.heard.clear();
    {
        auto guarded = weir::pipeline(weir::observe(seen), weir::retry({.backoff = pauses_of(1ms)}), tickets(1));
        auto const r = guarded.call([](attempt const&) { return reset(); }, clock);
        CHECK(r.error().code == reset());
        CHECK(seen.heard == words{"started 1", "ended 1 failure 0ms", "retry after 1 in 1ms", "refused by tickets",
                                  "call 1 failure 1ms"});
    }
    seen.heard.clear();
    {
        auto guarded = weir::pipeline(tickets(0), weir::observe(seen), weir::retry());
        (void)guarded.call([](attempt const&) { return 1; }, clock);
        CHECK(seen.heard == words{"refused by tickets", "call 0 ignored refused 0ms"});
    }
}

TEST_CASE("observe: hears why there is no further attempt")
{
    weir::testing::manual_clock clock;
    recorder seen;
    auto const reason = [&](auto&& guarded, auto op) {
        seen.heard.clear();
        (void)guarded.call(op, clock);
        for (auto const& h : seen.heard)
            if (h.starts_with("no retry: ")) return h.substr(10);
        return std::string("none");
    };
    auto const fails = [](attempt const&) { return reset(); };
    auto const twice = weir::retry_options{.max_attempts = 2, .backoff = pauses_of(100ms)};
    weir::retry_budget empty({.initial = 0});

    CHECK(reason(weir::pipeline(weir::observe(seen), weir::retry(twice)), fails) == "attempts");
    CHECK(reason(weir::pipeline(weir::observe(seen), weir::retry(twice, empty)), fails) == "budget");
    CHECK(reason(weir::pipeline(weir::deadline(100ms), weir::observe(seen), weir::retry(twice)), fails) == "deadline");
    CHECK(reason(weir::pipeline(weir::observe(seen), weir::retry(twice)),
                 [](attempt const&) { return make_error_code(std::errc::permission_denied); }) == "permanent");
    CHECK(reason(weir::pipeline(weir::observe(seen), weir::retry(twice), weir::classify([](int) {
                                    auto o = outcome::failure();
                                    o.retry_after = 61s;
                                    return o;
                                })),
                 [](attempt const&) { return 1; }) == "too_long");
    CHECK(reason(weir::pipeline(weir::observe(seen), weir::retry(twice)), [](attempt const&) { return 1; }) == "none");
    CHECK(reason(weir::pipeline(weir::observe(seen)), fails) == "none");
}

TEST_CASE("observe: what a hook throws harms neither the call nor the other observers")
{
    weir::testing::manual_clock clock;
    throws_everywhere trouble;
    recorder before, after;
    auto guarded = weir::pipeline(weir::observe(before), weir::observe(trouble), weir::observe(after),
                                  weir::retry({.max_attempts = 2, .backoff = pauses_of(1ms)}), tickets(3));
    auto const value =
        guarded.call([](attempt const& a) { return a.number() == 1 ? weir::result<int>(reset()) : 42; }, clock);
    CHECK(*value == 42);
    CHECK(trouble.heard == 6);
    auto const last_error = guarded.call([](attempt const&) { return reset(); }, clock);
    CHECK(last_error.error().code == reset());
    auto const refused = guarded.call([](attempt const&) { return 1; }, clock);
    CHECK(refused.error().code == errc::rate_limited);
    CHECK(before.heard.size() == static_cast<std::size_t>(trouble.heard));
    CHECK(before.heard == after.heard);
}

TEST_CASE("observe: an lvalue is shared, a temporary moves in")
{
    weir::testing::manual_clock clock;
    recorder shared;
    auto first = weir::pipeline(weir::observe(shared));
    auto second = weir::pipeline(weir::observe(shared));
    (void)first.call([](attempt const&) {}, clock);
    (void)second.call([](attempt const&) {}, clock);
    CHECK(shared.heard.size() == 6);

    struct owner {
        std::unique_ptr<int> cannot_be_copied;
        int* calls;
        void call_ended(call_report const&) { ++*calls; }
    };
    int calls = 0;
    auto third = weir::pipeline(weir::observe(owner{std::make_unique<int>(), &calls}));
    (void)third.call([](attempt const&) {}, clock);
    CHECK(calls == 1);
}

TEST_CASE("observe: a constant observer is enough where its hooks change nothing of it")
{
    weir::testing::manual_clock clock;
    struct counter {
        int* calls;
        void call_ended(call_report const&) const { ++*calls; }
    };
    int calls = 0;
    counter const observer{&calls};
    auto guarded = weir::pipeline(weir::observe(observer));
    (void)guarded.call([](attempt const&) {}, clock);
    CHECK(calls == 1);
}

TEST_CASE("observe: hooks that are not there are not missed")
{
    weir::testing::manual_clock clock;
    struct hears_nothing {};
    auto guarded =
        weir::pipeline(weir::observe(hears_nothing{}), weir::retry({.max_attempts = 2, .backoff = pauses_of(1ms)}));
    CHECK(guarded.call([](attempt const&) { return reset(); }, clock).error().code == reset());

    struct hears_the_end final {
        int* calls;
        void call_ended(call_report const&) { ++*calls; }
    };
    int calls = 0;
    auto last = weir::pipeline(weir::observe(hears_the_end{&calls}));
    (void)last.call([](attempt const&) {}, clock);
    CHECK(calls == 1);
}

TEST_CASE("observe: is told of a call whose operation throws, before the exception goes on")
{
    weir::testing::manual_clock clock;
    recorder seen;
    auto guarded = weir::pipeline(weir::observe(seen));
    CHECK_THROWS_AS((void)guarded.call([](attempt const&) { throw std::runtime_error("the operation's"); }, clock),
                    std::runtime_error);
    CHECK(seen.heard == words{"started 1", "ended 1 failure 0ms", "call 1 failure 0ms"});
}
