// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/tsc_clock.hpp>

#include <weir/core/detail/calibrated_clock.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <random>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::duration;
using weir::steady_clock;
using weir::time_point;
using weir::tsc_clock;

namespace {

/// A machine with a counter and a reference, both moved by hand. Each reading of either takes 10 ns, as real ones do.
struct machine {
    double ns = 3.6e12;        // true time
    double reference_off = 0;  // the reference is slewed
    double ticks = 1e15;
    double per_ns = 2.6;
    bool trusted = true;
    int reference_reads = 0, tick_reads = 0;
    std::function<void()> while_reading_reference, while_reading_ticks;

    void pass(duration d)
    {
        ns += static_cast<double>(d.count());
        ticks += static_cast<double>(d.count()) * per_ns;
    }
    [[nodiscard]] time_point reference() const
    {
        return time_point(duration(static_cast<std::int64_t>(ns + reference_off)));
    }
};

struct source {
    machine* m = nullptr;

    bool trusted() noexcept { return m->trusted; }
    std::uint64_t ticks() noexcept
    {
        m->pass(10ns);
        ++m->tick_reads;
        if (auto const f = std::exchange(m->while_reading_ticks, {})) f();
        return static_cast<std::uint64_t>(m->ticks);
    }
    time_point reference() noexcept
    {
        m->pass(10ns);
        ++m->reference_reads;
        if (auto const f = std::exchange(m->while_reading_reference, {})) f();
        return m->reference();
    }
};

struct subject {
    machine m;
    weir::detail::calibrated_clock<source> clock{source{&m}};
    duration seen = duration::min();

    time_point now() { return clock.now(seen); }

    /// How far a reading is from the reference.
    double error()
    {
        auto const told = now();
        return static_cast<double>((told - m.reference()).count());
    }

    void calibrate()
    {
        for (int i = 0; i < 3; ++i) m.pass(11ms), (void)now();
        REQUIRE(clock.live());
    }

    /// Long enough for the longest period between comparisons.
    void settle()
    {
        calibrate();
        for (int i = 0; i < 40; ++i) m.pass(100ms), (void)now();
        REQUIRE(clock.live());
    }

    bool is_the_reference()
    {
        auto const before = m.tick_reads;
        for (int i = 0; i < 100; ++i) {
            m.pass(50ms);
            if (std::abs(error()) > 20) return false;
        }
        return !clock.live() && m.tick_reads == before;
    }
};

}  // namespace

TEST_CASE("calibrated_clock: is the reference until two baselines of ten milliseconds agree")
{
    subject s;
    for (int i = 0; i < 20; ++i) {
        CHECK(std::abs(s.error()) <= 300);  // some of the readings take a sample, too
        CHECK_FALSE(s.clock.live());
        s.m.pass(1ms);
    }
    s.m.pass(3ms);
    (void)s.now();
    CHECK(s.clock.live());
}

TEST_CASE("calibrated_clock: then a reading is one of the counter and none of the reference")
{
    subject s;
    s.settle();
    auto const reference = s.m.reference_reads;
    auto const ticks = s.m.tick_reads;
    for (int i = 0; i < 100; ++i) (void)s.now();
    CHECK(s.m.reference_reads == reference);
    CHECK(s.m.tick_reads == ticks + 100);
}

TEST_CASE("calibrated_clock: a counter that is not to be trusted is never read")
{
    subject s;
    s.m.trusted = false;
    CHECK(s.is_the_reference());
    CHECK(s.m.tick_reads == 0);
}

TEST_CASE("calibrated_clock: a count that is told for an instant is reached before it, and hardly sooner than needed")
{
    std::mt19937_64 random{7};
    for (double const per_ns : {0.025, 1.0, 2.6, 5.2}) {
        subject s;
        s.m.per_ns = per_ns;
        CHECK(s.clock.ticks_before(s.now() + 1ms) == 0);  // no line yet
        s.settle();
        int within_a_line = 0;
        for (int i = 0; i < 1000; ++i) {
            auto const ahead = duration{static_cast<std::int64_t>(random() % 400'000'000 + 20'000)};
            auto const at = s.now() + ahead;
            auto const reads = s.m.reference_reads;
            auto const count = s.clock.ticks_before(at);
            while (s.m.ticks < static_cast<double>(count)) s.m.pass(std::max(ahead / 64, 40ns));
            auto const over = duration{static_cast<std::int64_t>((s.m.ticks - static_cast<double>(count)) / per_ns)};
            auto const early = at - s.now() + over;
            CHECK(early > 0ns);
            if (s.m.reference_reads != reads) continue;  // it was the end of the line
            CHECK(early < 11us);
            ++within_a_line;
        }
        CHECK(within_a_line > 100);
    }
}

TEST_CASE(
    "calibrated_clock: a count is told for a second at most, for nothing that is past, and for no clock without a line")
{
    subject s;
    s.settle();
    auto const now = s.now();
    auto const second = static_cast<std::uint64_t>(s.m.ticks) + static_cast<std::uint64_t>(1.2e9 * s.m.per_ns);
    CHECK(s.clock.ticks_before(time_point::max()) < second);
    CHECK(s.clock.ticks_before(time_point::max()) > static_cast<std::uint64_t>(s.m.ticks));
    CHECK(s.clock.ticks_before(now - 10s) == 0);
    CHECK(s.clock.ticks_before(time_point::min()) == 0);
    s.m.ticks *= 2;
    (void)s.now();
    CHECK(s.clock.ticks_before(s.now() + 100ms) == 0);
}

TEST_CASE("calibrated_clock: stays within a microsecond of the reference for an hour")
{
    for (double const per_ns : {0.025, 0.9, 1.0, 2.6, 5.2}) {
        CAPTURE(per_ns);
        subject s;
        s.m.per_ns = per_ns;
        s.calibrate();
        std::mt19937_64 random(1);
        std::uniform_int_distribution<std::int64_t> pause(0, 20'000'000);
        auto worst = 0.0;
        for (auto const end = s.m.ns + 3.6e12; s.m.ns < end;) {
            s.m.pass(duration(pause(random)));
            worst = std::max(worst, std::abs(s.error()));
        }
        CHECK(worst < 1000);
        CHECK(s.clock.live());
        CHECK(s.m.reference_reads < 3600 * 2 * 10);  // it was the counter that told the time
    }
}

TEST_CASE("calibrated_clock: follows a reference that is slewed by 400 ppm, and never goes back")
{
    subject s;
    s.settle();
    auto before = s.now();
    auto worst = 0.0;
    for (int i = 0; i < 20'000; ++i) {
        auto const slew = i / 5'000 % 2 == 0 ? 400e-6 : -400e-6;
        s.m.pass(1ms);
        s.m.reference_off += 1e6 * slew;
        auto const now = s.now();
        CHECK(now >= before);
        worst = std::max(worst, std::abs(static_cast<double>((now - s.m.reference()).count())));
        before = now;
    }
    CHECK(s.clock.live());
    CHECK(worst < 820e3);  // the second in which the slew turns: twice 400 ppm
}

TEST_CASE("calibrated_clock: 600 ppm apart is the end of it, for good")
{
    for (double const off : {600e-6, -600e-6}) {
        subject s;
        s.settle();
        for (int i = 0; i < 30; ++i) {
            s.m.pass(100ms);
            s.m.ticks += 1e8 * 2.6 * off;
            (void)s.now();
        }
        CHECK_FALSE(s.clock.live());
        CHECK(s.is_the_reference());
    }
}

TEST_CASE("calibrated_clock: a counter that leaps is not believed")
{
    subject s;
    SUBCASE("by hours: not for one reading")
    {
        s.settle();
        s.m.pass(1ms);
        s.m.ticks += 2.6 * 3.6e12;
        CHECK(std::abs(s.error()) < 1000);
    }
    SUBCASE("by less than a second: until the next comparison, and meanwhile time stands still rather than go back")
    {
        s.settle();
        s.m.pass(2s);
        (void)s.now();  // compares
        s.m.pass(1ms);
        s.m.ticks += 2.6 * 0.5e9;
        auto before = s.now();
        CHECK(before > s.m.reference() + 400ms);
        for (int i = 0; i < 2'000; ++i) {
            s.m.pass(1ms);
            auto const now = s.now();
            CHECK(now >= before);
            before = now;
        }
    }
    SUBCASE("while the first samples are taken")
    {
        (void)s.now();
        s.m.ticks += 2.6 * 3.6e12;
        s.m.pass(11ms);
        (void)s.now();
        s.m.pass(25ms);
        (void)s.now();
    }
    CHECK(s.is_the_reference());
}

TEST_CASE("calibrated_clock: a counter that steps back is found out at once, and time does not go with it")
{
    for (double const back : {1e7, 1e9, 1e14}) {
        CAPTURE(back);
        subject s;
        s.settle();
        s.m.pass(1ms);
        auto const before = s.now();
        s.m.pass(1us);
        s.m.ticks -= back;
        CHECK(s.now() >= before);
        CHECK_FALSE(s.clock.live());
        CHECK(s.is_the_reference());
    }
}

TEST_CASE("calibrated_clock: a core a little behind the others is no reason to give up")
{
    subject s;
    s.settle();
    for (int i = 0; i < 1000; ++i) {
        auto const before = s.now();
        s.m.ticks -= 10'000;
        CHECK(s.now() >= before);
        s.m.ticks += 10'000;
        s.m.pass(2s);
        (void)s.now();  // compares: there is little time to judge the next by
    }
    CHECK(s.clock.live());
}

TEST_CASE("calibrated_clock: a counter that stops is found out, and time goes on")
{
    subject s;
    SUBCASE("while it is in use")
    {
        s.settle();
        s.m.per_ns = 0;
        for (int i = 0; i < 2; ++i) (void)s.now();  // the last of its time may be told once more
        s.m.pass(1ms);
        CHECK(std::abs(s.error()) < 1000);
    }
    SUBCASE("before it was ever used")
    {
        s.m.per_ns = 0;
        (void)s.now();
        s.m.pass(11ms);
        (void)s.now();
    }
    CHECK_FALSE(s.clock.live());
    CHECK(s.is_the_reference());
}

TEST_CASE("calibrated_clock: a pause of an hour is bridged by the reference")
{
    subject s;
    s.settle();
    s.m.pass(1h);
    CHECK(std::abs(s.error()) < 1000);
    CHECK(s.clock.live());
    s.m.pass(1ms);
    CHECK(std::abs(s.error()) < 1000);
}

TEST_CASE("calibrated_clock: while one thread compares, the others neither wait nor compare")
{
    subject s;
    s.settle();
    s.m.pass(2s);
    duration other = duration::min();
    int reads = 0;
    s.m.while_reading_reference = [&] {      // about to compare ...
        s.m.while_reading_reference = [&] {  // ... and comparing
            auto const before = s.m.reference_reads;
            CHECK(std::abs(static_cast<double>((s.clock.now(other) - s.m.reference()).count())) < 1000);
            reads = s.m.reference_reads - before;
        };
    };
    (void)s.now();
    CHECK(reads == 1);
}

TEST_CASE("calibrated_clock: a thread that slept inside a reading through two new lines does not mix them")
{
    subject s;
    s.settle();
    s.m.per_ns = 2.6 * (1 + 300e-6);
    duration other = duration::min();
    for (int i = 0; i < 100; ++i) {
        s.m.while_reading_ticks = [&] {
            for (int k = 0; k < 2 + i % 3; ++k) s.m.pass(1s), (void)s.clock.now(other);
        };
        CHECK(std::abs(s.error()) < 1000);
        s.m.pass(1ms);
    }
    CHECK(s.clock.live());
}

TEST_CASE("tsc_clock: tells steady time, to the microsecond, and never goes back for one thread")
{
    auto const until = steady_clock::now() + 100ms;
    std::atomic<int> wrong{0}, back{0}, live{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            auto last = time_point::min();
            for (auto before = steady_clock::now(); before < until;) {
                auto const told = tsc_clock::now();
                auto const after = steady_clock::now();
                if (told < before - 20us || told > after + 20us) ++wrong;
                if (told < last) ++back;
                live += tsc_clock::trusted();
                last = told;
                before = after;
            }
        });
    }
    for (auto& t : threads) t.join();
    CHECK(wrong == 0);
    CHECK(back == 0);
    MESSAGE("readings of the counter itself: ", live.load());
}

TEST_CASE("tsc_clock: after sleep_until an instant it is past")
{
    for (int i = 0; i < 20; ++i) {
        auto const t = tsc_clock::now() + 100us;
        tsc_clock::sleep_until(t);
        CHECK(tsc_clock::now() >= t);
    }
    tsc_clock::sleep_until(time_point::min());
}

static_assert(weir::clock<tsc_clock>);
