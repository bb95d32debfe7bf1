// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/dry_run.hpp>
#include <weir/call/machine.hpp>
#include <weir/call/pipeline.hpp>

#include <doctest/doctest.h>

#include <array>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::outcome;

namespace {

weir::time_point const t0{1h};
auto const steady_backoff = weir::constant(100ms).with(weir::jitter::none);

/// A gate that counts what becomes of its tokens.
struct ledger {
    int admitted = 0, recorded = 0, given_back = 0;
    std::vector<outcome> outcomes;
    bool closed = false;
    bool throws = false;
    weir::duration start_in{};

    class token {
    public:
        token(ledger& l, weir::time_point start) : ledger_(&l), start_(start) { ++l.admitted; }
        token(token&& o) noexcept : ledger_(std::exchange(o.ledger_, nullptr)), start_(o.start_) {}
        token& operator=(token&& o) noexcept
        {
            std::swap(ledger_, o.ledger_);
            start_ = o.start_;
            return *this;
        }
        ~token()
        {
            if (ledger_) ++ledger_->given_back;
        }
        void record(outcome const& o, weir::time_point) noexcept
        {
            auto& l = *std::exchange(ledger_, nullptr);
            ++l.recorded;
            l.outcomes.push_back(o);
        }
        [[nodiscard]] weir::time_point start_at() const noexcept { return start_; }

    private:
        ledger* ledger_;
        weir::time_point start_;
    };

    weir::admission<token> admit(weir::time_point now)
    {
        if (throws) throw std::runtime_error("gate");
        if (closed) return weir::rejection{weir::errc::circuit_open, now + 5s, "ledger"};
        return token(*this, now + start_in);
    }
    [[nodiscard]] bool balanced() const { return admitted == recorded + given_back; }
};

struct recorder {
    std::string log;
    weir::call_report report;
    void attempt_started(weir::attempt const& a) { log += std::to_string(a.number()) + " "; }
    void hedge_started(weir::attempt const&) { log += "hedge"; }
    void hedge_suppressed(weir::no_hedge why)
    {
        log += why == weir::no_hedge::budget ? "poor " : why == weir::no_hedge::refused ? "refused " : "trial ";
    }
    void retry_suppressed(weir::no_retry why) { log += "no" + std::to_string(static_cast<int>(why)) + " "; }
    void call_ended(weir::call_report const& r) { report = r; }
};

template <class Pipeline>
struct stepper {
    using machine = weir::machine<Pipeline, 4>;
    using verb = typename machine::verb;
    using verdict = typename machine::verdict;

    explicit stepper(Pipeline& p) : m(p) { m.start(now); }
    typename machine::step next() { return m.next(now, random); }
    bool finished(std::size_t slot, outcome o) { return m.finished(slot, o, now, random); }
    void wait(weir::duration d) { now += d; }

    weir::random_engine random{1};
    weir::time_point now = t0;
    machine m;
};
template <class P>
stepper(P&) -> stepper<P>;

/// A primary in flight, at its hedge's time: the hedge goes out, in slot 1.
template <class S>
void send_both(S& s)
{
    REQUIRE(s.next().what == S::verb::send);
    REQUIRE(s.next().until == t0 + 10ms);
    s.wait(10ms);
    auto const second = s.next();
    REQUIRE(second.what == S::verb::send);
    REQUIRE(second.slot == 1);
}

}  // namespace

TEST_CASE("machine, hedge: sent when it is due, the first success wins, the loser is cancelled and not blamed")
{
    ledger gate;
    recorder seen;
    weir::retry_budget budget({.per_success = 0.5, .initial = 2});
    auto p = weir::pipeline(weir::observe(seen), weir::hedge({.delay = 10ms}, budget), gate);
    stepper s(p);
    using S = decltype(s);
    send_both(s);
    CHECK(budget.tokens() == 1);
    CHECK(s.next().until == weir::never);  // one extra, no more
    s.wait(5ms);
    SUBCASE("the hedge wins")
    {
        CHECK(s.finished(1, outcome::success()));
        auto const stop = s.next();
        CHECK(stop.what == S::verb::cancel);
        CHECK(stop.slot == 0);
        CHECK(s.next().what == S::verb::wait);  // the call ends when both have
        CHECK_FALSE(s.finished(0, outcome::failure()));
        CHECK(s.next().what == S::verb::done);
        CHECK(seen.report.hedge_won);
        REQUIRE(gate.outcomes.size() == 2);
        CHECK(gate.outcomes[0].ok());
        CHECK(gate.outcomes[1].what == outcome::kind::ignored);
    }
    SUBCASE("the first copy wins")
    {
        CHECK(s.finished(0, outcome::success()));
        CHECK(s.next().slot == 1);
        CHECK_FALSE(s.finished(1, outcome::ignored()));
        CHECK(s.next().what == S::verb::done);
        CHECK_FALSE(seen.report.hedge_won);
    }
    SUBCASE("both succeed: one answer, one credit")
    {
        CHECK(s.finished(0, outcome::success()));
        CHECK(s.next().what == S::verb::cancel);
        CHECK_FALSE(s.finished(1, outcome::success()));
        CHECK(s.next().what == S::verb::done);
    }
    CHECK(s.m.how_it_ended() == S::verdict::answered);
    CHECK(budget.tokens() == 1.5);
    CHECK(seen.log == "1 hedge2 ");
    CHECK(seen.report.attempts == 2);
    CHECK(seen.report.hedges == 1);
    CHECK(gate.balanced());
}

TEST_CASE("machine, hedge: a loser that had really failed before is blamed")
{
    ledger gate;
    weir::retry_budget budget;
    auto p = weir::pipeline(weir::hedge({.delay = 10ms}, budget), gate);
    stepper s(p);
    send_both(s);
    CHECK(s.finished(0, outcome::failure()));
    CHECK(s.finished(1, outcome::success()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::answered);
    CHECK(gate.outcomes[0].failed());
    CHECK(gate.outcomes[1].ok());
}

TEST_CASE("machine, hedge: an answer before its time makes none, and costs nothing")
{
    weir::retry_budget budget({.per_success = 0, .initial = 1});
    auto p = weir::pipeline(weir::hedge({.delay = 10ms}, budget));
    stepper s(p);
    (void)s.next();
    s.wait(9ms);
    CHECK(s.finished(0, outcome::success()));
    s.wait(10ms);
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.attempts() == 1);
    CHECK(budget.tokens() == 1);
}

TEST_CASE("machine, hedge: a failure before its time is retry's business")
{
    weir::retry_budget budget({.per_success = 0, .initial = 1});
    recorder seen;
    auto p = weir::pipeline(weir::observe(seen), weir::hedge({.delay = 10ms}, budget));
    stepper s(p);
    (void)s.next();
    s.wait(1ms);
    CHECK(s.finished(0, outcome::failure()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(seen.log == "1 ");
}

TEST_CASE("machine, hedge: an exhausted budget never kills the first copy")
{
    recorder seen;
    weir::retry_budget budget({.per_success = 1, .initial = 0});
    auto p = weir::pipeline(weir::observe(seen), weir::hedge({.delay = 10ms}, budget));
    stepper s(p);
    (void)s.next();
    s.wait(10ms);
    CHECK(s.next().what == decltype(s)::verb::wait);
    CHECK(s.next().until == weir::never);  // and is not asked again and again
    s.wait(1s);
    CHECK(s.next().what == decltype(s)::verb::wait);
    CHECK(s.finished(0, outcome::success()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::answered);
    CHECK(seen.log == "1 poor ");
    CHECK(budget.tokens() == 1);
}

TEST_CASE("machine, hedge: on trial it is not sent and costs nothing, but is heard of when it was due, and learns")
{
    recorder seen;
    weir::retry_budget budget({.per_success = 0, .initial = 5});
    weir::dry_run trial{
        weir::hedge({.delay = weir::latency_quantile_options{.quantile = 0.5, .min_samples = 3}}, budget)};
    auto p = weir::pipeline(weir::observe(seen), trial);
    for (int i = 0; i < 3; ++i) {
        stepper s(p);
        (void)s.next();
        s.wait(10ms);
        CHECK(s.finished(0, outcome::success()));
        CHECK(s.next().what == decltype(s)::verb::done);
    }
    seen.log.clear();
    auto const due = [&](double enforce) {
        trial.reconfigure({.enforce = enforce});
        stepper s(p);
        (void)s.next();
        auto const until = s.next().until;
        CHECK(until > s.now + 9ms);
        CHECK(until < s.now + 11ms);
        s.now = until;
        bool const sent = s.next().what == decltype(s)::verb::send;
        CHECK(s.finished(0, outcome::success()));
        return sent;
    };
    CHECK_FALSE(due(0));
    CHECK(seen.log == "1 trial ");
    CHECK(trial.would_have_acted() == 1);
    CHECK(budget.tokens() == 5);
    CHECK(due(1));
    CHECK(budget.tokens() == 4);
    CHECK(trial.would_have_acted() == 1);
}

TEST_CASE("machine, hedge: refused by a gate it is forgotten, and its token goes back")
{
    recorder seen;
    ledger gate, inner;
    weir::retry_budget budget({.per_success = 0, .initial = 1});
    auto p = weir::pipeline(weir::observe(seen), weir::hedge({.delay = 10ms}, budget), gate, inner);
    stepper s(p);
    (void)s.next();
    inner.closed = true;
    s.wait(10ms);
    CHECK(s.next().what == decltype(s)::verb::wait);
    CHECK(budget.tokens() == 1);
    CHECK(gate.given_back == 1);
    CHECK(seen.log == "1 refused ");
    CHECK(s.finished(0, outcome::permanent_failure()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::answered);  // the real error, not the hedge's refusal
}

TEST_CASE("machine, hedge: when all fail, the first copy's outcome is the answer, whoever was last")
{
    weir::retry_budget budget;
    auto p = weir::pipeline(weir::hedge({.delay = 10ms}, budget), weir::attempt_timeout(1s));
    using S = stepper<decltype(p)>;
    SUBCASE("the hedge fails first")
    {
        S s(p);
        send_both(s);
        CHECK_FALSE(s.finished(1, outcome::failure()));  // its result is dropped
        CHECK(s.finished(0, outcome::permanent_failure()));
        CHECK(s.next().what == S::verb::done);
        CHECK(s.m.how_it_ended() == S::verdict::answered);
    }
    SUBCASE("the hedge fails last")
    {
        S s(p);
        send_both(s);
        CHECK(s.finished(0, outcome::permanent_failure()));
        CHECK(s.next().what == S::verb::wait);  // the hedge may still succeed
        CHECK_FALSE(s.finished(1, outcome::failure()));
        CHECK(s.next().what == S::verb::done);
        CHECK(s.m.how_it_ended() == S::verdict::answered);
    }
    SUBCASE("the first copy timed out, the hedge failed")
    {
        S s(p);
        send_both(s);
        s.now = t0 + 1s;
        CHECK(s.next().what == S::verb::cancel);
        CHECK_FALSE(s.finished(0, outcome::ignored()));
        CHECK_FALSE(s.finished(1, outcome::permanent_failure()));
        CHECK(s.next().what == S::verb::done);
        CHECK(s.m.how_it_ended() == S::verdict::timed_out);
        CHECK(s.m.code() == weir::errc::attempt_timed_out);
    }
    SUBCASE("what says nothing of the peer does not win either")
    {
        S s(p);
        send_both(s);
        CHECK_FALSE(s.finished(1, outcome::ignored()));
        CHECK(s.next().what == S::verb::wait);
        CHECK(s.finished(0, outcome::success()));
        CHECK(s.next().what == S::verb::done);
    }
}

TEST_CASE("machine, hedge: a try is retried when its last copy has failed, by the first copy's outcome, on one budget")
{
    recorder seen;
    weir::retry_budget budget({.per_success = 0, .initial = 3});
    auto p = weir::pipeline(weir::observe(seen), weir::retry({.max_attempts = 3, .backoff = steady_backoff}, budget),
                            weir::hedge({.delay = 10ms, .max_extra = 2}, budget));
    stepper s(p);
    using S = decltype(s);
    send_both(s);
    CHECK(s.finished(0, outcome::failure()));
    CHECK(s.next().what == S::verb::wait);
    CHECK(budget.tokens() == 2);  // no retry while a copy is in flight
    SUBCASE("transient: again, with what is left of the hedges")
    {
        CHECK_FALSE(s.finished(1, outcome::permanent_failure()));
        CHECK(budget.tokens() == 1);
        auto const pause = s.next();
        CHECK(pause.until == s.now + 100ms);
        s.wait(100ms);
        CHECK(s.next().what == S::verb::send);
        s.wait(10ms);
        CHECK(s.next().what == S::verb::send);
        CHECK(budget.tokens() == 0);
        CHECK(s.next().until == weir::never);  // max_extra in one call, not in one try
        CHECK(s.finished(1, outcome::success()));
        CHECK(s.next().what == S::verb::cancel);
        CHECK_FALSE(s.finished(0, outcome::ignored()));
        CHECK(seen.log == "1 hedge2 3 hedge4 ");
    }
    SUBCASE("a peer that asked a hedge for no more is heard")
    {
        auto o = outcome::failure();
        o.retry_after = weir::do_not_retry;
        CHECK_FALSE(s.finished(1, o));
        CHECK(seen.log == "1 hedge2 no6 ");
    }
    SUBCASE("a peer that asked a hedge for a pause is waited for")
    {
        auto o = outcome::failure();
        o.retry_after = 700ms;
        CHECK_FALSE(s.finished(1, o));
        CHECK(s.next().until == s.now + 700ms);
        s.m.cancel();
    }
    CHECK(s.next().what == S::verb::done);
}

TEST_CASE("machine, hedge: pushback stops further hedges")
{
    weir::retry_budget budget({.per_success = 0, .initial = 3});
    auto p = weir::pipeline(weir::hedge({.delay = 10ms, .max_extra = 2}, budget));
    stepper s(p);
    send_both(s);
    CHECK(s.next().until == t0 + 20ms);
    auto o = outcome::failure();
    o.retry_after = 1s;
    CHECK_FALSE(s.finished(1, o));
    CHECK(s.next().until == weir::never);
}

TEST_CASE("machine, hedge: k extra copies, each at an endpoint where none is in flight; no such endpoint, no hedge")
{
    for (unsigned members = 1; members <= 4; ++members)
        for (unsigned seed = 0; seed < 50; ++seed) {
            std::vector<weir::endpoint> all;
            for (unsigned i = 0; i < members; ++i) all.push_back({std::string(1, static_cast<char>('a' + i)), "h", 1});
            weir::endpoint_set set(all);
            weir::round_robin balancer(set);
            weir::retry_budget budget({.per_success = 0, .initial = 3});
            auto p = weir::pipeline(weir::hedge({.delay = 10ms, .max_extra = 3}, budget), balancer);
            stepper s(p);
            s.random.seed(seed);
            std::set<std::string> went;
            unsigned sent = 0;
            for (int i = 0; i < 10; ++i) {
                if (s.next().what == decltype(s)::verb::send) {
                    went.insert(s.m.attempt_in(sent).endpoint().id);
                    ++sent;
                }
                s.wait(5ms);
            }
            REQUIRE(went.size() == sent);
            REQUIRE(sent == members);
            REQUIRE(budget.tokens() == 3 - (members - 1));
            for (auto const& m : set.snapshot()->members()) REQUIRE(m.state->in_flight() == 1);
            s.m.abandon();
            for (auto const& m : set.snapshot()->members()) REQUIRE(m.state->in_flight() == 0);
        }
}

TEST_CASE("machine, hedge: not past the deadline, and none when everything in flight is being cancelled")
{
    weir::retry_budget budget({.per_success = 0, .initial = 3});
    SUBCASE("the deadline comes first")
    {
        auto p = weir::pipeline(weir::deadline(10ms), weir::hedge({.delay = 10ms}, budget));
        stepper s(p);
        (void)s.next();
        s.wait(10ms);
        CHECK(s.next().what == decltype(s)::verb::cancel);
        CHECK(s.next().what == decltype(s)::verb::wait);
        CHECK(s.m.attempts() == 1);
    }
    SUBCASE("the attempt's limit comes first")
    {
        auto p = weir::pipeline(weir::hedge({.delay = 10ms}, budget), weir::attempt_timeout(5ms));
        stepper s(p);
        (void)s.next();
        s.wait(5ms);
        CHECK(s.next().what == decltype(s)::verb::cancel);
        s.wait(5ms);
        CHECK(s.next().what == decltype(s)::verb::wait);
        CHECK(s.m.attempts() == 1);
    }
    CHECK(budget.tokens() == 3);
}

TEST_CASE("machine, hedge: one that waits for its turn at a gate is given up with the answer, and its token goes back")
{
    ledger gate;
    weir::retry_budget budget({.per_success = 0, .initial = 1});
    auto p = weir::pipeline(weir::hedge({.delay = 10ms}, budget), gate);
    stepper s(p);
    (void)s.next();
    gate.start_in = 50ms;
    s.wait(10ms);
    CHECK(s.next().until == s.now + 50ms);
    CHECK(budget.tokens() == 0);
    SUBCASE("answered") { CHECK(s.finished(0, outcome::success())); }
    SUBCASE("cancelled")
    {
        s.m.cancel();
        CHECK(s.next().what == decltype(s)::verb::cancel);
        CHECK_FALSE(s.finished(0, outcome::ignored()));
    }
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(budget.tokens() == 1);
    CHECK(gate.given_back == 1);
    CHECK(gate.balanced());
}

TEST_CASE("machine, hedge: a gate that throws for it leaves nothing taken and nothing owed")
{
    ledger gate, inner;
    weir::retry_budget budget({.per_success = 0, .initial = 1});
    auto p = weir::pipeline(weir::hedge({.delay = 10ms}, budget), gate, inner);
    {
        stepper s(p);
        (void)s.next();
        inner.throws = true;
        s.wait(10ms);
        CHECK_THROWS_AS((void)s.next(), std::runtime_error);
    }
    CHECK(budget.tokens() == 1);
    CHECK(gate.balanced());
    CHECK(inner.balanced());
    CHECK(gate.given_back == 1);
}

TEST_CASE("machine, hedge: the caller's cancel reaches every copy")
{
    ledger gate;
    weir::retry_budget budget({.per_success = 0, .initial = 3});
    auto p = weir::pipeline(weir::hedge({.delay = 10ms, .max_extra = 3}, budget), gate);
    stepper s(p);
    using S = decltype(s);
    send_both(s);
    s.m.cancel();
    CHECK(s.next().what == S::verb::cancel);
    CHECK(s.next().what == S::verb::cancel);
    CHECK(s.next().until == weir::never);
    CHECK_FALSE(s.finished(0, outcome::failure()));
    CHECK_FALSE(s.finished(1, outcome::failure()));
    CHECK(s.next().what == S::verb::done);
    CHECK(s.m.how_it_ended() == S::verdict::cancelled);
    for (auto const& o : gate.outcomes) CHECK(o.what == outcome::kind::ignored);
    CHECK(budget.tokens() == 2);
}

TEST_CASE("machine, hedge: its delay is learnt from first copies, those that a hedge overtook included")
{
    weir::retry_budget budget({.per_success = 1, .initial = 100, .max = 1000});
    auto p = weir::pipeline(
        weir::hedge({.delay = weir::latency_quantile_options{.quantile = 0.9, .min_samples = 20}}, budget));
    using S = stepper<decltype(p)>;
    // From 1 ms to 100 ms, each as often; a copy takes 1 ms.
    unsigned hedges = 0;
    weir::time_point now = t0;
    for (int i = 0; i < 1000; ++i) {
        weir::random_engine random(1);
        weir::machine<decltype(p), 4> m(p);
        auto const takes = std::chrono::milliseconds(i * 37 % 100 + 1);
        m.start(now);
        auto const ends = now + takes;
        REQUIRE(m.next(now, random).what == S::verb::send);
        auto const step = m.next(now, random);
        REQUIRE(step.what == S::verb::wait);
        if (i < 20) REQUIRE(step.until == weir::never);  // too little is known
        if (step.until < ends) {
            ++hedges;
            now = step.until;
            REQUIRE(m.next(now, random).what == S::verb::send);
            now += 1ms;
            REQUIRE(m.finished(1, outcome::success(), now, random));
            REQUIRE(m.next(now, random).what == S::verb::cancel);
            REQUIRE_FALSE(m.finished(0, outcome::ignored(), now, random));
        } else {
            now = ends;
            REQUIRE(m.finished(0, outcome::success(), now, random));
        }
        REQUIRE(m.next(now, random).what == S::verb::done);
    }
    // Not counting the overtaken ones, the quantile would fall with every hedge.
    CHECK(hedges >= 50);
    CHECK(hedges <= 130);
}

TEST_CASE("machine, hedge: with one slot the rule is passed over")
{
    weir::retry_budget budget({.per_success = 0.5, .initial = 1});
    auto p = weir::pipeline(weir::hedge({.delay = 10ms}, budget));
    weir::random_engine random(1);
    weir::machine<decltype(p)> m(p);
    m.start(t0);
    CHECK(m.next(t0, random).what == decltype(m)::verb::send);
    CHECK(m.next(t0, random).until == weir::never);
    CHECK(m.finished(0, outcome::success(), t0 + 1s, random));
    CHECK(budget.tokens() == 1.5);
}

TEST_CASE("machine, hedge: random histories keep every promise")
{
    for (unsigned seed = 0; seed < 4000; ++seed) {
        CAPTURE(seed);
        ledger outer, inner;
        recorder seen;
        weir::random_engine random(seed);
        weir::endpoint_set set({{"a", "h", 1}, {"b", "h", 2}, {"c", "h", 3}});
        weir::round_robin balancer(set);
        weir::circuit_breaker breaker({.failure_rate = 0.5, .minimum_calls = 3});
        weir::retry_budget budget({.per_success = 0.1, .initial = 3, .max = 4});
        auto const extra = static_cast<unsigned>(1 + random() % 3);
        auto p = weir::pipeline(weir::observe(seen), weir::deadline(400ms), outer,
                                weir::retry({.max_attempts = 3, .backoff = weir::exponential(20ms, 200ms)}, budget),
                                weir::hedge({.delay = 20ms, .max_extra = extra}, budget), breaker, inner, balancer,
                                weir::attempt_timeout(150ms));
        using S = stepper<decltype(p)>;
        unsigned sent = 0, wins = 0;
        bool over = false;
        {
            S s(p);
            std::array<bool, 4> flying{};
            std::array<bool, 4> told{};
            bool cancelled = false;
            for (int i = 0;; ++i) {
                REQUIRE(i < 1000);
                inner.closed = random() % 8 == 0;
                inner.start_in = random() % 8 == 0 ? 15ms : 0ms;
                auto const step = s.next();
                if (step.what == S::verb::done) {
                    over = true;
                    for (bool const f : flying) REQUIRE_FALSE(f);
                    break;
                }
                if (step.what == S::verb::send) {
                    REQUIRE_FALSE(flying[step.slot]);
                    REQUIRE_FALSE(cancelled);
                    REQUIRE(wins == 0);
                    flying[step.slot] = true;
                    told[step.slot] = false;
                    ++sent;
                    REQUIRE(s.now < t0 + 400ms);
                    for (std::size_t other = 0; other < 4; ++other)
                        if (flying[other] && other != step.slot && budget.tokens() < 3)
                            REQUIRE(s.m.attempt_in(other).endpoint().id != s.m.attempt_in(step.slot).endpoint().id);
                    continue;
                }
                if (step.what == S::verb::cancel) {
                    REQUIRE(flying[step.slot]);
                    told[step.slot] = true;
                    continue;
                }
                REQUIRE(step.until > s.now);
                if (random() % 60 == 0) {
                    s.m.cancel();
                    cancelled = true;
                    continue;
                }
                if (random() % 300 == 0) break;  // dropped on the floor
                std::size_t const slot = random() % 4;
                if (flying[slot] && random() % 3 == 0) {
                    flying[slot] = false;
                    s.now += std::chrono::milliseconds(random() % 5);
                    auto const kind = random() % 5;
                    auto o = kind == 0   ? outcome::success()
                             : kind == 1 ? outcome::permanent_failure()
                             : kind == 2 ? outcome::ignored()
                                         : outcome::failure();
                    if (random() % 10 == 0) o.retry_after = random() % 2 ? weir::duration(30ms) : weir::do_not_retry;
                    bool const kept = s.finished(slot, o);
                    if (o.ok() && kept) ++wins;
                    REQUIRE(wins <= 1);
                } else {
                    s.now = std::min(step.until, s.now + std::chrono::milliseconds(1 + random() % 10));
                }
            }
        }
        REQUIRE(outer.balanced());
        REQUIRE(inner.balanced());
        for (auto const& m : set.snapshot()->members()) REQUIRE(m.state->in_flight() == 0);
        REQUIRE(seen.report.hedges <= extra);
        // Exactly what was sent beyond the first has been paid for, and one success is credited once.
        if (sent > 0) REQUIRE(budget.tokens() == doctest::Approx(std::min(4.0, 3.0 - (sent - 1) + 0.1 * wins)));
        if (over && wins == 1) REQUIRE(seen.report.last.ok());
    }
}

TEST_CASE("machine, hedge: left of it a gate is asked once for all copies, right of it once for each")
{
    ledger outer, inner;
    weir::retry_budget budget;
    auto p = weir::pipeline(outer, weir::hedge({.delay = 10ms}, budget), inner);
    stepper s(p);
    send_both(s);
    CHECK(outer.admitted == 1);
    CHECK(inner.admitted == 2);
    CHECK(s.finished(1, outcome::success()));
    CHECK_FALSE(s.finished(0, outcome::failure()));  // failed before it could be cancelled
    CHECK(s.next().what == decltype(s)::verb::done);
    REQUIRE(outer.outcomes.size() == 1);
    CHECK(outer.outcomes[0].ok());
    REQUIRE(inner.outcomes.size() == 2);
    CHECK(inner.outcomes[1].failed());
}
