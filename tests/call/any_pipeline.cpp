// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/any_pipeline.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::admission;
using weir::any_stage;
using weir::outcome;
using weir::rejection;
using weir::time_point;

namespace {

/// A token of any size that says what becomes of it.
template <std::size_t Bytes, std::size_t Alignment = 8>
class alignas(Alignment) loud {
public:
    loud(std::string& log, char name, time_point start) : log_(&log), name_(name), start_(start) {}
    loud(loud&& o) noexcept : log_(std::exchange(o.log_, nullptr)), name_(o.name_), start_(o.start_) {}
    loud& operator=(loud&& o) noexcept
    {
        std::swap(log_, o.log_);
        return *this;
    }
    ~loud()
    {
        if (reinterpret_cast<std::uintptr_t>(this) % Alignment != 0) *log_ += "misaligned";
        if (log_) *log_ += std::string(1, name_) + "< ";
    }
    void record(outcome const& o, time_point) noexcept
    {
        *std::exchange(log_, nullptr) += std::string(1, name_) + (o.ok() ? "+ " : o.failed() ? "- " : "0 ");
    }
    [[nodiscard]] time_point start_at() const noexcept { return start_; }

private:
    std::string* log_;
    char name_;
    time_point start_;
    char room_[Bytes] = {};
};

/// Refuses, delays and throws as it is told.
template <std::size_t Bytes = 8, std::size_t Alignment = 8>
struct moody_gate {
    std::string& log;
    char name;
    std::vector<int> moods{};  // in turn: 0 admit, n admit in n ms, -1 refuse for 1 ms, -2 refuse for ever, -3 throw
    std::size_t asked = 0;

    admission<loud<Bytes, Alignment>> admit(time_point now)
    {
        auto const mood = moods.empty() ? 0 : moods[asked++ % moods.size()];
        if (mood == -3) throw std::runtime_error("gate");
        if (mood < 0) {
            log += std::string(1, name) + "! ";
            return rejection{weir::errc::rate_limited, mood == -1 ? now + 1ms : weir::never, "moody"};
        }
        log += std::string(1, name) + "? ";
        return loud<Bytes, Alignment>(log, name, now + mood * 1ms);
    }
};

/// A balancer over two, with a lease as large as it is told.
template <std::size_t Bytes>
struct moody_balancer {
    struct lease : loud<Bytes> {
        lease(std::string& log, weir::endpoint const& e) : loud<Bytes>(log, 'L', {}), at(&e) {}
        [[nodiscard]] weir::endpoint const& endpoint() const noexcept { return *at; }
        weir::endpoint const* at;
    };
    std::string& log;
    weir::endpoint const all[2] = {{.id = "a", .host = "h", .port = 1}, {.id = "b", .host = "h", .port = 1}};

    admission<lease> pick(time_point, weir::random_engine&, weir::endpoint const* avoid)
    {
        auto const& chosen = avoid && avoid->id == "a" ? all[1] : all[0];
        log += "pick" + chosen.id + " ";
        return lease(log, chosen);
    }
};

struct witness {
    std::string& log;
    void attempt_started(weir::attempt const& a) { log += "start" + std::to_string(a.number()) + " "; }
    void attempt_ended(weir::attempt const&, outcome const& o) { log += o.ok() ? "ok " : "bad "; }
    void refused(rejection const& r) { log += "refused:" + std::string(r.gate) + " "; }
    void retry_scheduled(unsigned n, weir::duration d) { log += "again" + std::to_string(n * 1000 + d / 1ms) + " "; }
    void retry_suppressed(weir::no_retry why) { log += "no" + std::to_string(static_cast<int>(why)) + " "; }
    void call_ended(weir::call_report const& r) { log += "end" + std::to_string(r.attempts) + "\n"; }
};

/// Thirty calls through a pipeline that `make` builds of stages with the same moods; all that was heard of them.
template <class Make>
std::string thirty_calls(unsigned seed, Make make)
{
    std::string log;
    std::mt19937 random(seed);
    auto const moods = [&] {
        std::vector<int> some;
        for (int i = 0; i < 7; ++i)
            some.push_back(static_cast<int>(random() % 10) < 7 ? static_cast<int>(random() % 3)
                                                               : -1 - static_cast<int>(random() % 3));
        return some;
    };
    moody_gate<> a{log, 'A', moods()};
    moody_gate<100> b{log, 'B', moods()};
    moody_gate<16, 64> c{log, 'C', moods()};
    moody_gate<> d{log, 'D', moods()};
    moody_balancer<64> balancer{log};
    weir::retry_budget budget{{.per_success = 0.5, .initial = 3}};
    weir::testing::manual_clock clock;
    std::vector<int> script;
    for (int i = 0; i < 11; ++i) script.push_back(static_cast<int>(random() % 4));
    auto run = [&](auto guarded) {
        unsigned n = 0;
        auto const op = [&](weir::attempt const& at) -> weir::result<int> {
            if (at.has_endpoint()) log += "at" + at.endpoint().id + " ";
            clock.advance(2ms);
            switch (script[n++ % script.size()]) {
                case 0: return weir::error(std::make_error_code(std::errc::connection_reset));
                case 1: throw std::runtime_error("op");
                default: return static_cast<int>(n);
            }
        };
        for (int call = 0; call < 30; ++call) {
            try {
                auto const r = guarded.call(op, {.deadline = clock.now() + 40ms}, clock);
                log += r ? "=" + std::to_string(*r) + "\n" : r.error().code.message() + "\n";
            } catch (std::exception const& e) {
                log += std::string("threw ") + e.what() + "\n";
            }
            clock.advance(5ms);
        }
    };
    witness w{log};
    make(run, a, b, c, d, balancer, budget, w);
    return log;
}

auto const plain = weir::constant(3ms).with(weir::jitter::none);

}  // namespace

TEST_CASE("any_pipeline: it does what the typed pipeline does, with every gate, refusal, throw and retry")
{
    auto const compare = [](auto typed) {
        for (unsigned seed = 1; seed <= 40; ++seed) {
            auto const as_types = thirty_calls(seed, [&](auto run, auto&... parts) { run(typed(parts...)); });
            auto const erased =
                thirty_calls(seed, [&](auto run, auto&... parts) { run(weir::any_pipeline(typed(parts...))); });
            REQUIRE(as_types.size() > 1000);
            REQUIRE(as_types == erased);
        }
    };
    SUBCASE("gates around and inside a retry, a balancer between")
    {
        compare([](auto& a, auto& b, auto& c, auto& d, auto& balancer, auto& budget, auto& w) {
            return weir::pipeline(weir::deadline(1s), weir::observe(w), a, b,
                                  weir::retry({.max_attempts = 4, .backoff = plain}, budget), c, balancer, d,
                                  weir::attempt_timeout(20ms));
        });
    }
    SUBCASE("no retry: every gate belongs to the attempt")
    {
        compare([](auto& a, auto& b, auto& c, auto& d, auto& balancer, auto&, auto& w) {
            return weir::pipeline(weir::observe(w), a, b, balancer, c, d, weir::deadline(30ms));
        });
    }
    SUBCASE("no balancer, no limits")
    {
        compare([](auto& a, auto& b, auto& c, auto& d, auto&, auto&, auto& w) {
            return weir::pipeline(a, weir::retry({.max_attempts = 2, .backoff = plain}), b, c, d, weir::observe(w));
        });
    }
    SUBCASE("written in an order of one's own")
    {
        compare([](auto& a, auto& b, auto& c, auto& d, auto& balancer, auto& budget, auto& w) {
            return weir::pipeline(weir::unchecked_order(), weir::attempt_timeout(1ms), a,
                                  weir::retry({.max_attempts = 3, .backoff = plain}, budget), weir::deadline(9ms), b,
                                  balancer, weir::observe(w), c, weir::observe(w), d);
        });
    }
}

TEST_CASE("any_pipeline: assembled at run time, of stages by value, by reference and shared")
{
    weir::testing::manual_clock clock;
    weir::token_bucket bucket{{.rate = weir::per_second(1), .burst = 3}};
    auto const slots = std::make_shared<weir::concurrency_limit>(weir::concurrency_limit_options{.limit = 1});
    std::vector<any_stage> stages{weir::deadline(2s), bucket};
    stages.emplace_back(slots);
    stages.emplace_back(weir::circuit_breaker({.consecutive_failures = 2}));
    weir::any_pipeline guarded(std::move(stages));
    struct member {  // of one type
        weir::any_pipeline p;
    } service{std::move(guarded)};
    auto const fail = [](weir::attempt const&) { return std::make_error_code(std::errc::io_error); };
    auto const in_flight = [&](weir::attempt const&) { return slots->in_flight(); };
    CHECK(service.p.call(in_flight, clock).value() == 1);
    CHECK(slots->in_flight() == 0);
    CHECK_FALSE(service.p.call(fail, clock));
    CHECK_FALSE(service.p.call(fail, clock));
    CHECK(service.p.call(fail, clock).error().code == weir::errc::rate_limited);
    clock.advance(1s);
    auto const open = service.p.call(fail, clock);
    CHECK(open.error().code == weir::errc::circuit_open);
    REQUIRE(open.error().refused);
    CHECK(open.error().refused->gate == "circuit_breaker");
    CHECK(bucket.available(clock.now()) == 1);  // given back, for nothing was sent
}

TEST_CASE("any_pipeline: empty, it lets everything pass")
{
    weir::any_pipeline none;
    CHECK(none.call([](weir::attempt const& a) { return a.number(); }).value() == 1);
}

TEST_CASE("any_pipeline: every order that does not compile in a pipeline is refused, with the same sentence")
{
    weir::retry_budget budget;
    weir::token_bucket bucket;

    std::string log;
    moody_balancer<8> balancer{log};
    any_stage const retry = weir::retry(), hedge = weir::hedge({}, budget), total = weir::deadline(1s),
                    each = weir::attempt_timeout(1s), pick = balancer, gate = bucket, enough = weir::enough_time(),
                    judge = weir::classify([](int) { return outcome::success(); }), any = weir::unchecked_order();
    auto const fault = [](std::vector<any_stage> stages) -> std::string {
        try {
            weir::any_pipeline p(std::move(stages));
            return "";
        } catch (std::invalid_argument const& e) {
            return e.what();
        }
    };
    auto const says = [&](std::vector<any_stage> stages, char const* sentence) {
        CHECK(fault(stages).find(sentence) != std::string::npos);
        CHECK(fault(std::move(stages)).starts_with("weir::pipeline: "));
    };
    says({retry, retry}, "two retries in one pipeline multiply the attempts");
    says({any, retry, retry}, "two retries in one pipeline multiply the attempts");
    says({judge, judge}, "one classify decides what an ending means");
    says({pick, pick}, "one balancer picks the endpoint");
    says({each, retry}, "attempt_timeout bounds one attempt, so it stands right of retry");
    says({retry, total}, "deadline bounds the whole call, so it stands left of retry");
    says({any, pick, retry}, "a balancer left of retry would send every attempt to the same endpoint");
    says({enough, retry}, "enough_time is asked before each attempt");
    says({hedge, hedge}, "two hedges in one pipeline multiply the copies");
    says({hedge, retry}, "hedge stands right of retry");
    says({retry, gate, hedge}, "a gate between retry and hedge would be asked once for several copies");
    says({each, hedge}, "attempt_timeout bounds each copy");
    says({hedge, total}, "deadline bounds the whole call, so it stands left of hedge");
    says({pick, hedge}, "a balancer left of hedge would send every copy to the same endpoint");
    CHECK(fault({any, each, gate, retry, total, hedge, enough}) == "");
    CHECK(fault({total, gate, retry, hedge, gate, pick, gate, enough, each, judge}) == "");
}

TEST_CASE("any_pipeline: other stages take the place of those that are there; what is in both keeps its state")
{
    weir::testing::manual_clock clock;
    auto const bucket =
        std::make_shared<weir::token_bucket>(weir::token_bucket_options{.rate = weir::per_hour(1), .burst = 3});
    weir::any_pipeline guarded(std::vector<any_stage>{bucket});
    auto const op = [](weir::attempt const& a) { return a.deadline() == weir::never; };
    CHECK(guarded.call(op, clock).value());
    guarded.replace({weir::deadline(1s), bucket});
    CHECK_FALSE(guarded.call(op, clock).value());
    CHECK_THROWS_AS(guarded.replace({weir::retry(), weir::deadline(1s)}), std::invalid_argument);
    CHECK_FALSE(guarded.call(op, clock).value());
    CHECK(guarded.call(op, clock).error().code == weir::errc::rate_limited);
    guarded.replace({});
    CHECK(guarded.call(op, clock).value());
    CHECK(bucket.use_count() == 1);
}

TEST_CASE("any_pipeline: a call goes on by what it began with, though that was replaced and dropped meanwhile")
{
    weir::testing::manual_clock clock;
    std::string log;
    auto guarded = std::make_unique<weir::any_pipeline>(
        std::vector<any_stage>{weir::retry({.max_attempts = 2, .backoff = plain}),
                               std::make_shared<moody_gate<300>>(moody_gate<300>{log, 'A'})});
    auto const r = guarded->call(
        [&](weir::attempt const& a) -> weir::result<int> {
            if (a.number() == 2) return 2;
            guarded->replace({});
            guarded.reset();
            return weir::error(std::make_error_code(std::errc::connection_reset));
        },
        clock);
    CHECK(r.value() == 2);
    CHECK(log == "A? A- A? A+ ");
}

TEST_CASE("any_pipeline: a blocking call passes a hedge over, and what is not idempotent is sent once")
{
    weir::testing::manual_clock clock;
    weir::retry_budget budget{{.initial = 5}};
    weir::any_pipeline guarded(
        {weir::retry({.max_attempts = 3, .backoff = plain}, budget), weir::hedge({.delay = 1ms}, budget)});
    int runs = 0;
    auto const op = [&](weir::attempt const&) {
        clock.advance(1s);
        ++runs;
        return std::make_error_code(std::errc::connection_reset);
    };
    CHECK_FALSE(guarded.call(op, {.idempotent = true}, clock));
    CHECK(runs == 3);
    CHECK_FALSE(guarded.call(op, {.idempotent = false}, clock));
    CHECK(runs == 4);
}

TEST_CASE("any_pipeline: the call's key reaches its gates")
{
    weir::testing::manual_clock clock;
    weir::keyed_limiter<std::string> per_tenant{{.quotas = {{weir::per_second(1), 1}}, .capacity = 100}};
    weir::any_pipeline guarded(weir::pipeline(weir::deadline(1s), per_tenant));
    auto const key_of = [](weir::attempt const& a) { return std::string(a.key()); };
    CHECK(guarded.call(key_of, {.key = "a"}, clock).value() == "a");
    CHECK(guarded.call(key_of, {.key = "b"}, clock).value() == "b");
    CHECK(guarded.call(key_of, {.key = "a"}, clock).error().code == weir::errc::rate_limited);
}

TEST_CASE("any_pipeline: in a machine with room for copies, each copy goes to an endpoint of its own")
{
    std::string log;
    moody_balancer<200> balancer{log};
    moody_gate<300> gate{log, 'A'};
    weir::retry_budget budget{{.initial = 5}};
    weir::any_pipeline guarded({weir::hedge({.delay = 10ms, .max_extra = 2}, budget), gate, balancer});
    auto const plan = guarded.pin();
    weir::machine<weir::detail::any_plan, 4> m(*plan);
    using verb = decltype(m)::verb;
    weir::random_engine random;
    time_point const t0{1s};
    m.start(t0);
    CHECK(m.next(t0, random).what == verb::send);
    CHECK(m.next(t0, random).until == t0 + 10ms);
    CHECK(m.next(t0 + 10ms, random).what == verb::send);
    CHECK(m.attempt_in(0).endpoint().id == "a");
    CHECK(m.attempt_in(1).endpoint().id == "b");
    CHECK(m.next(t0 + 20ms, random).what == verb::wait);  // no third endpoint, no third copy
    CHECK(m.finished(1, outcome::success(), t0 + 21ms, random));
    CHECK(m.next(t0 + 21ms, random).what == verb::cancel);
    CHECK_FALSE(m.finished(0, outcome::failure(), t0 + 22ms, random));
    CHECK(m.next(t0 + 22ms, random).what == verb::done);
    CHECK(log.starts_with("A? picka A? pickb A? "));
    CHECK(log.find("L+ A+ ") != std::string::npos);
    CHECK(log.ends_with("L0 A0 "));
}
