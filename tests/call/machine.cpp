// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/machine.hpp>
#include <weir/call/pipeline.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::outcome;

namespace {

weir::time_point const t0{1h};

/// A gate that writes down what happens to its tokens.
struct book {
    std::string log;
    int admitted = 0, recorded = 0, given_back = 0;
    std::vector<outcome> outcomes;
    [[nodiscard]] bool balanced() const { return admitted == recorded + given_back; }
};

class noted {
public:
    noted(book& b, std::string name, weir::time_point start = {}) : book_(&b), name_(std::move(name)), start_(start)
    {
        ++b.admitted;
        b.log += "+" + name_ + " ";
    }
    noted(noted&& o) noexcept : book_(std::exchange(o.book_, nullptr)), name_(o.name_), start_(o.start_) {}
    noted& operator=(noted&& o) noexcept
    {
        std::swap(book_, o.book_);
        std::swap(name_, o.name_);
        std::swap(start_, o.start_);
        return *this;
    }
    ~noted()
    {
        if (!book_) return;
        ++book_->given_back;
        book_->log += "-" + name_ + " ";
    }
    void record(outcome const& o, weir::time_point) noexcept
    {
        auto& b = *std::exchange(book_, nullptr);
        ++b.recorded;
        b.outcomes.push_back(o);
        b.log += "=" + name_ + " ";
    }
    [[nodiscard]] weir::time_point start_at() const noexcept { return start_; }

private:
    book* book_;
    std::string name_;
    weir::time_point start_;
};

struct gate {
    book& notes;
    std::string name;
    bool closed = false;
    weir::duration retry_in = 5s;
    weir::duration start_in{};
    bool throws = false;

    weir::admission<noted> admit(weir::time_point now)
    {
        if (throws) throw std::runtime_error("gate");
        if (closed) return weir::rejection{weir::errc::circuit_open, weir::later(now, retry_in), name};
        return noted(notes, name, now + start_in);
    }
};

class lease : public noted {
public:
    lease(book& b, weir::endpoint const& e) : noted(b, e.id), endpoint_(&e) {}
    [[nodiscard]] weir::endpoint const& endpoint() const noexcept { return *endpoint_; }

private:
    weir::endpoint const* endpoint_;
};

struct picker {
    book& notes;
    std::vector<weir::endpoint> endpoints{{"a", "h", 1}, {"b", "h", 2}};

    weir::admission<lease> pick(weir::time_point, weir::random_engine&, weir::endpoint const* avoid)
    {
        for (auto const& e : endpoints)
            if (&e != avoid) return lease(notes, e);
        return weir::rejection{weir::errc::no_endpoint, weir::never, "picker"};
    }
};

struct recorder {
    std::string log;
    weir::call_report report;
    void attempt_started(weir::attempt const& a) { log += "start" + std::to_string(a.number()) + " "; }
    void attempt_ended(weir::attempt const&, outcome const& o)
    {
        log += o.ok() ? "ok " : o.failed() ? "failed " : "ignored ";
    }
    void refused(weir::rejection const& r) { log += "refused:" + std::string(r.gate) + " "; }
    void retry_scheduled(unsigned n, weir::duration) { log += "retry" + std::to_string(n) + " "; }
    void retry_suppressed(weir::no_retry why) { log += "suppressed" + std::to_string(static_cast<int>(why)) + " "; }
    void call_ended(weir::call_report const& r)
    {
        log += "end";
        report = r;
    }
};

auto const steady_backoff = weir::constant(100ms).with(weir::jitter::none);

/// Steps a machine by hand.
template <class Pipeline, std::size_t N = 1>
struct stepper {
    using machine = weir::machine<Pipeline, N>;
    using verb = typename machine::verb;
    using verdict = typename machine::verdict;

    explicit stepper(Pipeline& p) : m(p) {}
    typename machine::step next() { return m.next(now, random); }
    bool finished(outcome o, std::size_t slot = 0) { return m.finished(slot, o, now, random); }

    machine m;
    weir::random_engine random{1};
    weir::time_point now = t0;
};

template <class P>
stepper(P&) -> stepper<P>;

}  // namespace

TEST_CASE("machine: a call that succeeds asks outer gates first and settles them last")
{
    book b;
    gate outer{b, "outer"}, middle{b, "middle"}, inner{b, "inner"};
    auto p = weir::pipeline(outer, middle, weir::retry(), inner);
    stepper s(p);
    s.m.start(s.now);
    CHECK(b.log == "+outer +middle ");
    CHECK(s.next().what == decltype(s)::verb::send);
    CHECK(b.log == "+outer +middle +inner ");
    s.now += 7ms;
    CHECK(s.finished(outcome::success()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(b.log == "+outer +middle +inner =inner =middle =outer ");
    for (auto const& o : b.outcomes) {
        CHECK(o.ok());
        CHECK(o.latency == 7ms);
    }
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::answered);
    CHECK(s.m.attempts() == 1);
}

TEST_CASE("machine: refused left of retry, nothing is sent and what was taken goes back")
{
    book b;
    gate outer{b, "outer"}, closed{b, "closed", true}, inner{b, "inner"};
    auto p = weir::pipeline(outer, closed, weir::retry(), inner);
    stepper s(p);
    s.m.start(s.now);
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::refused);
    CHECK(s.m.refusal().gate == "closed");
    CHECK(s.m.refusal().retry_at == t0 + 5s);
    CHECK(b.log == "+outer -outer ");
}

TEST_CASE("machine: refused right of retry, the tokens of the call and of the attempt go back, inner first")
{
    book b;
    gate outer{b, "outer"}, first{b, "first"}, closed{b, "closed", true};
    auto p = weir::pipeline(outer, weir::retry({.max_attempts = 3, .backoff = steady_backoff}), first, closed);
    stepper s(p);
    s.m.start(s.now);
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::refused);
    CHECK(b.log == "+outer +first -first -outer ");
}

TEST_CASE("machine: a transient failure is tried again after its backoff, and settles in between")
{
    book b;
    gate outer{b, "outer"}, inner{b, "inner"};
    auto p = weir::pipeline(outer, weir::retry({.max_attempts = 3, .backoff = steady_backoff}), inner);
    stepper s(p);
    s.m.start(s.now);
    (void)s.next();
    CHECK(s.finished(outcome::failure()));
    auto step = s.next();
    CHECK(step.what == decltype(s)::verb::wait);
    CHECK(step.until == t0 + 100ms);
    CHECK(b.log == "+outer +inner =inner ");
    CHECK(s.next().what == decltype(s)::verb::wait);  // asked too early: nothing changes
    s.now = step.until;
    CHECK(s.next().what == decltype(s)::verb::send);
    CHECK(s.m.attempt_in(0).number() == 2);
    CHECK(s.finished(outcome::success()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(b.outcomes.size() == 3);
    CHECK(b.outcomes[2].ok());
    CHECK(b.outcomes[2].latency == 100ms);
}

TEST_CASE("machine: a permanent failure, an ignored outcome and the last attempt are not tried again")
{
    book b;
    gate inner{b, "inner"};
    recorder seen;
    auto p = weir::pipeline(weir::observe(seen), weir::retry({.max_attempts = 2, .backoff = steady_backoff}), inner);
    for (auto const& o : {outcome::permanent_failure(), outcome::ignored()}) {
        stepper s(p);
        s.m.start(s.now);
        (void)s.next();
        CHECK(s.finished(o));
        CHECK(s.next().what == decltype(s)::verb::done);
        CHECK(s.m.how_it_ended() == decltype(s)::verdict::answered);
        CHECK(s.m.attempts() == 1);
    }
    CHECK(seen.log == "start1 failed suppressed0 endstart1 ignored end");
    seen.log.clear();
    stepper s(p);
    s.m.start(s.now);
    (void)s.next();
    CHECK(s.finished(outcome::failure()));
    s.now += 100ms;
    CHECK(s.next().what == decltype(s)::verb::send);
    CHECK(s.finished(outcome::failure()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(seen.log == "start1 failed retry1 start2 failed suppressed1 end");
    CHECK(seen.report.attempts == 2);
    CHECK(seen.report.elapsed == 100ms);
    CHECK(b.balanced());
}

TEST_CASE("machine: an attempt that outlives its timeout is cancelled, counts as a failure, and is retried")
{
    book b;
    gate inner{b, "inner"};
    auto p = weir::pipeline(weir::retry({.max_attempts = 2, .backoff = steady_backoff}), inner,
                            weir::attempt_timeout(300ms));
    stepper s(p);
    s.m.start(s.now);
    (void)s.next();
    CHECK(s.m.attempt_in(0).deadline() == t0 + 300ms);
    auto step = s.next();
    CHECK(step.what == decltype(s)::verb::wait);
    CHECK(step.until == t0 + 300ms);
    s.now = step.until;
    CHECK(s.next().what == decltype(s)::verb::cancel);
    CHECK(s.next().what == decltype(s)::verb::wait);  // once
    s.now += 1ms;
    CHECK_FALSE(s.finished(outcome::ignored()));  // what a cancelled operation says of itself
    REQUIRE(b.outcomes.size() == 1);
    CHECK(b.outcomes[0].failed());
    CHECK(b.outcomes[0].latency == 301ms);
    s.now += 100ms;
    CHECK(s.next().what == decltype(s)::verb::send);
    s.now += 300ms;
    CHECK(s.next().what == decltype(s)::verb::cancel);
    CHECK_FALSE(s.finished(outcome::ignored()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::timed_out);
    CHECK(s.m.code() == weir::errc::attempt_timed_out);
}

TEST_CASE("machine: a success that beats its own cancellation wins")
{
    auto p = weir::pipeline(weir::attempt_timeout(300ms));
    stepper s(p);
    s.m.start(s.now);
    (void)s.next();
    s.now += 300ms;
    CHECK(s.next().what == decltype(s)::verb::cancel);
    CHECK(s.finished(outcome::success()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::answered);
}

TEST_CASE("machine: the deadline of the call bounds the attempt, the pause and the start")
{
    auto p = weir::pipeline(weir::deadline(1s), weir::retry({.max_attempts = 9, .backoff = steady_backoff}),
                            weir::attempt_timeout(800ms));
    SUBCASE("an attempt in flight is cancelled by it")
    {
        stepper s(p);
        s.m.start(s.now);
        (void)s.next();
        s.now += 500ms;
        CHECK(s.finished(outcome::failure()));
        s.now += 100ms;
        CHECK(s.next().what == decltype(s)::verb::send);
        CHECK(s.m.attempt_in(0).deadline() == t0 + 1s);
        s.now = t0 + 1s;
        CHECK(s.next().what == decltype(s)::verb::cancel);
        CHECK_FALSE(s.finished(outcome::ignored()));
        CHECK(s.next().what == decltype(s)::verb::done);
        CHECK(s.m.how_it_ended() == decltype(s)::verdict::timed_out);
        CHECK(s.m.code() == weir::errc::deadline_exceeded);
    }
    SUBCASE("a pause that would reach it is not begun: the last real error is the answer")
    {
        stepper s(p);
        s.m.start(s.now);
        (void)s.next();
        s.now += 700ms;
        CHECK(s.finished(outcome::failure()));
        s.now += 100ms;
        CHECK(s.next().what == decltype(s)::verb::send);
        s.now = t0 + 900ms;
        CHECK(s.finished(outcome::failure()));
        CHECK(s.next().what == decltype(s)::verb::done);
        CHECK(s.m.how_it_ended() == decltype(s)::verdict::answered);
    }
    SUBCASE("a driver that comes late finds no time left")
    {
        stepper s(p);
        s.m.start(s.now);
        s.now += 2s;
        CHECK(s.next().what == decltype(s)::verb::done);
        CHECK(s.m.how_it_ended() == decltype(s)::verdict::refused);
        CHECK(s.m.refusal().code == weir::errc::no_time_left);
    }
}

TEST_CASE("machine: a token that may start later is waited for, and one that starts too late is refused")
{
    book b;
    gate pacer{b, "pacer"};
    pacer.start_in = 40ms;
    auto p = weir::pipeline(weir::deadline(1s), weir::retry(), pacer);
    {
        stepper s(p);
        s.m.start(s.now);
        auto step = s.next();
        CHECK(step.what == decltype(s)::verb::wait);
        CHECK(step.until == t0 + 40ms);
        s.now = step.until;
        CHECK(s.next().what == decltype(s)::verb::send);
        CHECK(b.admitted == 1);  // one question
        (void)s.finished(outcome::success());
        CHECK(b.outcomes.back().latency == 0ms);  // the peer is not charged for our pause
    }
    pacer.start_in = 1s;
    stepper s(p);
    s.m.start(s.now);
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.refusal().code == weir::errc::no_time_left);
    CHECK(b.balanced());
}

TEST_CASE("machine: left of retry, too, a token may start later")
{
    book b;
    gate pacer{b, "pacer"};
    pacer.start_in = 40ms;
    auto p = weir::pipeline(pacer, weir::retry());
    stepper s(p);
    s.m.start(s.now);
    auto step = s.next();
    CHECK(step.what == decltype(s)::verb::wait);
    CHECK(step.until == t0 + 40ms);
    s.m.cancel();
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::cancelled);
    CHECK(b.log == "+pacer -pacer ");
}

TEST_CASE(
    "machine: left of retry, a token that starts after the deadline, or a call that is past it, is refused at once")
{
    book b;
    gate pacer{b, "pacer"};
    auto p = weir::pipeline(weir::deadline(100ms), pacer, weir::retry());
    auto const refused = [&](stepper<decltype(p)>& s) {
        CHECK(s.next().what == decltype(s.m)::verb::done);
        CHECK(s.m.how_it_ended() == decltype(s.m)::verdict::refused);
        CHECK(s.m.refusal().code == weir::errc::no_time_left);
    };
    SUBCASE("it would start later")
    {
        pacer.start_in = 1s;
        stepper s(p);
        s.m.start(s.now);
        refused(s);
        CHECK(b.log == "+pacer -pacer ");
    }
    SUBCASE("it is past: nobody is asked")
    {
        stepper s(p);
        weir::call_options const said{.deadline = s.now};
        s.m.start(s.now, &said);
        refused(s);
        CHECK(b.log.empty());
    }
}

TEST_CASE("machine: a cancel is heard while another try waits, and in it, after the first was refused")
{
    book b;
    gate inner{b, "inner", true, 60ms};
    auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = steady_backoff}), inner);
    stepper s(p);
    s.m.start(s.now);
    auto const step = s.next();
    REQUIRE(step.what == decltype(s)::verb::wait);
    SUBCASE("while it waits") { s.m.cancel(); }
    SUBCASE("in flight")
    {
        inner.closed = false;
        s.now = step.until;
        REQUIRE(s.next().what == decltype(s)::verb::send);
        s.m.cancel();
        CHECK(s.next().what == decltype(s)::verb::cancel);
        CHECK_FALSE(s.finished(outcome::ignored()));
    }
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::cancelled);
    CHECK(b.balanced());
}

TEST_CASE("machine: an own refusal is asked again when it will be over within the pause; otherwise it fails fast")
{
    book b;
    gate inner{b, "inner", true, 60ms};
    auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = steady_backoff}), inner);
    {
        stepper s(p);
        s.m.start(s.now);
        auto step = s.next();
        CHECK(step.what == decltype(s)::verb::wait);
        CHECK(step.until == t0 + 100ms);
        inner.closed = false;
        s.now = step.until;
        CHECK(s.next().what == decltype(s)::verb::send);
        CHECK(s.m.attempt_in(0).number() == 1);  // nothing had been sent before
    }
    inner.closed = true;
    inner.retry_in = 101ms;
    stepper s(p);
    s.m.start(s.now);
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::refused);
}

TEST_CASE("machine: a refusal after a real error never masks it")
{
    book b;
    gate inner{b, "inner"};
    auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = steady_backoff}), inner);
    stepper s(p);
    s.m.start(s.now);
    (void)s.next();
    CHECK(s.finished(outcome::failure()));
    inner.closed = true;
    s.now += 100ms;
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::answered);
}

TEST_CASE("machine: the budget is paid before the pause, earned by success, and never masks the error")
{
    weir::retry_budget budget({.per_success = 0.5, .initial = 1, .max = 10});
    auto p = weir::pipeline(weir::retry({.max_attempts = 5, .backoff = steady_backoff}, budget));
    stepper s(p);
    s.m.start(s.now);
    (void)s.next();
    (void)s.finished(outcome::failure());
    CHECK(budget.tokens() == 0);  // while it sleeps
    s.now += 100ms;
    CHECK(s.next().what == decltype(s)::verb::send);
    CHECK(s.finished(outcome::failure()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::answered);
    CHECK(s.m.attempts() == 2);

    stepper good(p);
    good.m.start(good.now);
    (void)good.next();
    (void)good.finished(outcome::success());
    CHECK(budget.tokens() == 0.5);
}

TEST_CASE("machine: a retry that is not sent gives its budget back")
{
    weir::retry_budget budget({.per_success = 0, .initial = 1, .max = 10});
    book b;
    gate inner{b, "inner"};
    auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = steady_backoff}, budget), inner);
    auto const fail_once = [&](auto& s) {
        s.m.start(s.now);
        (void)s.next();
        (void)s.finished(outcome::failure());
        REQUIRE(budget.tokens() == 0);
    };
    SUBCASE("cancelled in the pause")
    {
        stepper s(p);
        fail_once(s);
        s.m.cancel();
        CHECK(s.next().what == decltype(s)::verb::done);
    }
    SUBCASE("refused before the send")
    {
        stepper s(p);
        fail_once(s);
        inner.closed = true;
        s.now += 100ms;
        CHECK(s.next().what == decltype(s)::verb::done);
    }
    SUBCASE("abandoned")
    {
        stepper s(p);
        fail_once(s);
        s.m.abandon();
    }
    CHECK(budget.tokens() == 1);
    CHECK(b.balanced());
}

TEST_CASE("machine: Retry-After is a lower bound of the pause, and too long a one ends the call")
{
    auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = steady_backoff, .max_retry_after = 2s}));
    for (auto const& [asked, pause] : {std::pair{50ms, 100ms}, std::pair{700ms, 700ms}}) {
        stepper s(p);
        s.m.start(s.now);
        (void)s.next();
        auto o = outcome::failure();
        o.retry_after = asked;
        (void)s.finished(o);
        CHECK(s.next().until == t0 + pause);
    }
    stepper s(p);
    s.m.start(s.now);
    (void)s.next();
    auto o = outcome::failure();
    o.retry_after = 2001ms;
    CHECK(s.finished(o));
    CHECK(s.next().what == decltype(s)::verb::done);
}

TEST_CASE("machine: the caller's cancel, at each moment, leaves every token settled once")
{
    book b;
    gate outer{b, "outer"}, inner{b, "inner"};
    recorder seen;
    auto p =
        weir::pipeline(weir::observe(seen), outer, weir::retry({.max_attempts = 2, .backoff = steady_backoff}), inner);
    using S = stepper<decltype(p)>;
    SUBCASE("before the first step")
    {
        S s(p);
        s.m.start(s.now);
        s.m.cancel();
        CHECK(s.next().what == S::verb::done);
        CHECK(b.log == "+outer -outer ");
        CHECK(s.m.how_it_ended() == S::verdict::cancelled);
    }
    SUBCASE("in flight: the operation is cancelled, and nobody learns anything of the peer")
    {
        S s(p);
        s.m.start(s.now);
        (void)s.next();
        s.m.cancel();
        CHECK(s.next().what == S::verb::cancel);
        CHECK(s.next().what == S::verb::wait);
        CHECK_FALSE(s.finished(outcome::failure()));
        CHECK(s.next().what == S::verb::done);
        CHECK(s.m.how_it_ended() == S::verdict::cancelled);
        CHECK(b.log == "+outer +inner =inner =outer ");
        for (auto const& o : b.outcomes) CHECK(o.what == outcome::kind::ignored);
        CHECK(seen.report.cancelled);
    }
    SUBCASE("in flight, and the operation succeeds all the same")
    {
        S s(p);
        s.m.start(s.now);
        (void)s.next();
        s.m.cancel();
        CHECK(s.next().what == S::verb::cancel);
        CHECK(s.finished(outcome::success()));
        CHECK(s.next().what == S::verb::done);
        CHECK(s.m.how_it_ended() == S::verdict::answered);
    }
    SUBCASE("in the pause")
    {
        S s(p);
        s.m.start(s.now);
        (void)s.next();
        (void)s.finished(outcome::failure());
        s.m.cancel();
        CHECK(s.next().what == S::verb::done);
        CHECK(s.m.how_it_ended() == S::verdict::cancelled);
    }
    SUBCASE("after a success")
    {
        S s(p);
        s.m.start(s.now);
        (void)s.next();
        CHECK(s.finished(outcome::success()));
        s.m.cancel();
        CHECK(s.next().what == S::verb::done);
        CHECK(s.m.how_it_ended() == S::verdict::answered);
    }
    CHECK(b.balanced());
}

TEST_CASE("machine: an attempt that ignores the caller's cancel is told again when its time is up")
{
    auto p = weir::pipeline(weir::attempt_timeout(300ms));
    stepper s(p);
    s.m.start(s.now);
    (void)s.next();
    s.m.cancel();
    CHECK(s.next().what == decltype(s)::verb::cancel);
    CHECK(s.next().until == t0 + 300ms);
    s.now += 300ms;
    CHECK(s.next().what == decltype(s)::verb::cancel);
    CHECK(s.next().until == weir::never);
    CHECK_FALSE(s.finished(outcome::failure()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(s.m.how_it_ended() == decltype(s)::verdict::cancelled);
}

TEST_CASE("machine: abandoned in flight, slots are freed and permits stay spent")
{
    book b;
    gate outer{b, "outer"}, inner{b, "inner"};
    auto p = weir::pipeline(outer, weir::retry(), inner);
    {
        stepper s(p);
        s.m.start(s.now);
        (void)s.next();
    }
    CHECK(b.log == "+outer +inner =inner =outer ");
    for (auto const& o : b.outcomes) CHECK(o.what == outcome::kind::ignored);
}

TEST_CASE("machine: a gate that throws leaves nothing taken")
{
    book b;
    gate outer{b, "outer"}, first{b, "first"}, broken{b, "broken"};
    broken.throws = true;
    auto p = weir::pipeline(outer, weir::retry(), first, broken);
    {
        stepper s(p);
        s.m.start(s.now);
        CHECK_THROWS_AS((void)s.next(), std::runtime_error);
    }
    CHECK(b.admitted == 2);
    CHECK(b.given_back == 2);
}

TEST_CASE("machine: without retry every gate belongs to the one attempt")
{
    book b;
    gate only{b, "only"};
    auto p = weir::pipeline(only);
    stepper s(p);
    s.m.start(s.now);
    CHECK(s.next().what == decltype(s)::verb::send);
    CHECK(s.finished(outcome::failure()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(b.log == "+only =only ");
}

TEST_CASE("machine: the next attempt avoids the endpoint of the one before")
{
    book b;
    picker picks{b};
    auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = steady_backoff}), picks);
    stepper s(p);
    s.m.start(s.now);
    std::string went;
    for (int i = 0; i < 3; ++i) {
        REQUIRE(s.next().what == decltype(s)::verb::send);
        went += s.m.attempt_in(0).endpoint().id;
        (void)s.finished(outcome::failure());
        s.now += 100ms;
    }
    CHECK(went == "aba");
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(b.recorded == 3);
}

TEST_CASE("machine: two attempts in flight, the first success wins and the other is cancelled and not blamed")
{
    book b;
    picker picks{b};
    auto p =
        weir::pipeline(weir::retry({.max_attempts = 3, .backoff = steady_backoff}), picks, weir::attempt_timeout(1s));
    using S = stepper<decltype(p), 2>;
    S s(p);
    s.m.start(s.now);
    REQUIRE(s.next().what == S::verb::send);
    s.m.launch_another(t0 + 10ms);
    CHECK(s.next().until == t0 + 10ms);
    s.now += 10ms;
    auto const second = s.next();
    REQUIRE(second.what == S::verb::send);
    CHECK(second.slot == 1);
    CHECK(s.m.attempt_in(1).endpoint().id == "b");
    CHECK(s.next().until == t0 + 1s);
    s.now += 5ms;
    SUBCASE("the second wins")
    {
        CHECK(s.finished(outcome::success(), 1));
        auto const stop = s.next();
        CHECK(stop.what == S::verb::cancel);
        CHECK(stop.slot == 0);
        CHECK(s.next().what == S::verb::wait);  // done only when both have ended
        CHECK_FALSE(s.finished(outcome::failure(), 0));
        CHECK(s.next().what == S::verb::done);
        CHECK(s.m.how_it_ended() == S::verdict::answered);
        REQUIRE(b.outcomes.size() == 2);
        CHECK(b.outcomes[0].ok());
        CHECK(b.outcomes[1].what == outcome::kind::ignored);
    }
    SUBCASE("the loser succeeds too, and its result is dropped")
    {
        CHECK(s.finished(outcome::success(), 0));
        CHECK(s.next().what == S::verb::cancel);
        CHECK_FALSE(s.finished(outcome::success(), 1));
        CHECK(s.next().what == S::verb::done);
    }
    SUBCASE("one fails, the other still may succeed")
    {
        CHECK(s.finished(outcome::failure(), 0));
        CHECK(s.finished(outcome::success(), 1));
        CHECK(s.next().what == S::verb::done);
        CHECK(s.m.how_it_ended() == S::verdict::answered);
    }
    SUBCASE("the caller cancels both")
    {
        s.m.cancel();
        CHECK(s.next().what == S::verb::cancel);
        CHECK(s.next().what == S::verb::cancel);
        CHECK(s.next().what == S::verb::wait);
        CHECK_FALSE(s.finished(outcome::ignored(), 1));
        CHECK_FALSE(s.finished(outcome::ignored(), 0));
        CHECK(s.next().what == S::verb::done);
        CHECK(s.m.how_it_ended() == S::verdict::cancelled);
    }
    CHECK(b.balanced());
}

TEST_CASE("machine: random histories keep every promise")
{
    // What a driver, a peer and a caller may do, in any order, with gates that refuse at random.
    for (unsigned seed = 0; seed < 3000; ++seed) {
        book b;
        weir::random_engine random(seed);
        gate outer{b, "o"}, inner{b, "i"};
        picker picks{b};
        weir::retry_budget budget({.per_success = 0.1, .initial = 2, .max = 3});
        auto p = weir::pipeline(weir::deadline(900ms), outer,
                                weir::retry({.max_attempts = 4, .backoff = weir::exponential(20ms, 200ms)}, budget),
                                inner, picks, weir::attempt_timeout(150ms));
        using S = stepper<decltype(p), 2>;
        unsigned sent = 0;
        {
            S s(p);
            outer.closed = random() % 20 == 0;
            outer.start_in = std::chrono::milliseconds(random() % 3 == 0 ? random() % 1500 : 0);
            s.m.start(s.now);
            std::array<bool, 2> flying{}, told{};
            bool cancelled = false;
            for (int i = 0;; ++i) {
                REQUIRE(i < 500);
                inner.closed = random() % 8 == 0;
                inner.retry_in = std::chrono::milliseconds(random() % 100);
                auto const step = s.next();
                if (step.what == S::verb::done) break;
                if (step.what == S::verb::send) {
                    REQUIRE_FALSE(flying[step.slot]);
                    REQUIRE_FALSE(cancelled);
                    flying[step.slot] = true;
                    told[step.slot] = false;
                    ++sent;
                    REQUIRE(s.m.attempt_in(step.slot).number() == sent);
                    REQUIRE(s.m.attempt_in(step.slot).deadline() <= t0 + 900ms);
                    REQUIRE(s.now < t0 + 900ms);
                    if (random() % 10 == 0) s.m.launch_another(s.now + 10ms);
                    continue;
                }
                if (step.what == S::verb::cancel) {
                    REQUIRE(flying[step.slot]);
                    told[step.slot] = true;
                    continue;
                }
                bool const in_flight = flying[0] || flying[1];
                REQUIRE((in_flight || !cancelled));  // there is nothing left to wait for
                for (std::size_t slot = 0; slot < 2; ++slot) REQUIRE((!cancelled || !flying[slot] || told[slot]));
                REQUIRE((in_flight || step.until <= t0 + 900ms));
                if (random() % 40 == 0) {
                    s.m.cancel();
                    cancelled = true;
                    continue;
                }
                if (random() % 200 == 0) break;  // dropped on the floor
                std::size_t const slot = random() % 2;
                if (flying[slot] && random() % 2) {
                    flying[slot] = false;
                    s.now += std::chrono::milliseconds(random() % 5);
                    auto const kind = random() % 4;
                    (void)s.finished(kind == 0   ? outcome::success()
                                     : kind == 1 ? outcome::permanent_failure()
                                     : kind == 2 ? outcome::ignored()
                                                 : outcome::failure(),
                                     slot);
                } else {
                    s.now = std::max(s.now + 1ms, random() % 2 ? std::min(step.until, s.now + 50ms) : s.now);
                }
            }
        }
        REQUIRE(b.balanced());
        REQUIRE(budget.tokens() <= 2.3);
    }
}

TEST_CASE("machine: a peer that asks for no more tries gets none, and the budget is not touched")
{
    weir::retry_budget budget({.initial = 1});
    recorder seen;
    auto p = weir::pipeline(weir::observe(seen), weir::retry({.max_attempts = 3, .backoff = steady_backoff}, budget));
    stepper s(p);
    s.m.start(s.now);
    (void)s.next();
    auto o = outcome::failure();
    o.retry_after = weir::do_not_retry;
    CHECK(s.finished(o));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(seen.log == "start1 failed suppressed6 end");
    CHECK(budget.tokens() == 1);
}

TEST_CASE("machine: the delay may come from the outcome: a time of its own, the backoff's, or none at all")
{
    std::vector<unsigned> asked;
    auto p = weir::pipeline(
        weir::retry({.max_attempts = 5, .backoff = steady_backoff, .delay_from = [&](outcome const& o, unsigned tries) {
                         asked.push_back(tries);
                         return tries == 1   ? std::optional<weir::duration>(o.latency * 2)
                                : tries == 2 ? std::nullopt
                                             : std::optional<weir::duration>(-1ms);
                     }}));
    stepper s(p);
    s.m.start(s.now);
    (void)s.next();
    s.now += 20ms;
    (void)s.finished(outcome::failure());
    CHECK(s.next().until == s.now + 40ms);
    s.now += 40ms;
    CHECK(s.next().what == decltype(s)::verb::send);
    auto wish = outcome::failure();
    wish.retry_after = 300ms;
    (void)s.finished(wish);
    CHECK(s.next().until == s.now + 300ms);
    s.now += 300ms;
    CHECK(s.next().what == decltype(s)::verb::send);
    CHECK(s.finished(outcome::failure()));
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(asked == std::vector<unsigned>{1, 2, 3});
}

TEST_CASE("machine: a delay function that throws leaves nothing taken")
{
    book b;
    gate outer{b, "outer"}, inner{b, "inner"};
    weir::retry_budget budget({.initial = 1});
    auto p = weir::pipeline(outer,
                            weir::retry({.delay_from = [](outcome const&, unsigned) -> std::optional<weir::duration> {
                                            throw std::runtime_error("delay");
                                        }},
                                        budget),
                            inner);
    {
        stepper s(p);
        s.m.start(s.now);
        (void)s.next();
        CHECK_THROWS_AS((void)s.finished(outcome::failure()), std::runtime_error);
    }
    CHECK(b.balanced());
    CHECK(budget.tokens() == 1);
}

TEST_CASE("machine: no try begins after max_elapsed")
{
    recorder seen;
    auto p = weir::pipeline(weir::observe(seen),
                            weir::retry({.max_attempts = 9, .backoff = steady_backoff, .max_elapsed = 250ms}));
    stepper s(p);
    s.m.start(s.now);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(s.next().what == decltype(s)::verb::send);
        CHECK(s.finished(outcome::failure()));
        s.now += 100ms;
    }
    CHECK(s.next().what == decltype(s)::verb::done);
    CHECK(seen.log == "start1 failed retry1 start2 failed retry2 start3 failed suppressed5 end");
}

TEST_CASE("machine: a call may bring a deadline of its own; the nearer one holds")
{
    auto p = weir::pipeline(weir::deadline(1s), weir::retry());
    for (auto const& [own, holds] :
         {std::pair{t0 + 300ms, t0 + 300ms}, std::pair{t0 + 3s, t0 + 1s}, std::pair{weir::never, t0 + 1s}}) {
        weir::call_options const said{.deadline = own};
        stepper s(p);
        s.m.start(s.now, &said);
        (void)s.next();
        CHECK(s.m.attempt_in(0).deadline() == holds);
    }
}

TEST_CASE("machine: a success is credited once, whatever the number of attempts")
{
    weir::retry_budget budget({.per_success = 0.5, .initial = 0});
    auto p = weir::pipeline(weir::retry({}, budget));
    stepper<decltype(p), 2> s(p);
    s.m.start(s.now);
    (void)s.next();
    s.m.launch_another(s.now);
    (void)s.next();
    CHECK(s.finished(outcome::success(), 0));
    CHECK_FALSE(s.finished(outcome::success(), 1));
    CHECK(budget.tokens() == 0.5);
}
