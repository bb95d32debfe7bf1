// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/blocking_single_flight.hpp>
#include <weir/call/pipeline.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <cstddef>
#include <exception>
#include <functional>
#include <latch>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

auto const reset = std::make_error_code(std::errc::connection_reset);

/// A follower compares its key once, under the lock, which it gives back only by waiting.
struct counting_equal {
    std::atomic<int>* compared;
    bool operator()(std::string const& a, std::string const& b) const
    {
        ++*compared;
        return a == b;
    }
};

/// The leader is in its operation, held there until `open`, while others come.
struct scene {
    std::atomic<int> compared{0};
    weir::blocking_single_flight<std::string, int, std::hash<std::string>, counting_equal> shared{{}, {&compared}};
    std::latch begun{1};
    std::latch open{1};
    std::atomic<int> calls{0};

    template <class End>
    weir::result<int> lead(End end)
    {
        return shared.call("tea", [&]() -> weir::result<int> {
            ++calls;
            begun.count_down();
            open.wait();
            return end();
        });
    }
    weir::result<int> follow(weir::time_point deadline = weir::never)
    {
        return shared.call(
            "tea", [&] { return ++calls, -1; }, deadline);
    }
    void until_waiting(int followers)
    {
        while (compared < followers) std::this_thread::yield();
        CHECK(shared.in_flight() == 1);  // takes the lock
    }
};

}  // namespace

TEST_CASE("blocking_single_flight: threads that come at once share one operation, round after round")
{
    constexpr int threads = 4;
    constexpr int rounds = 200;
    weir::blocking_single_flight<int, int> shared;
    std::atomic<int> calls{0}, inside{0}, wrong{0};
    std::barrier all(threads);
    std::vector<std::jthread> team;
    for (int t = 0; t < threads; ++t)
        team.emplace_back([&, t] {
            for (int round = 0; round < rounds; ++round) {
                all.arrive_and_wait();
                auto const key = t % 2;
                auto const r = shared.call(key, [&] {
                    if (++inside > 2) ++wrong;  // one a key
                    ++calls;
                    std::this_thread::yield();
                    --inside;
                    return key;
                });
                if (!r || *r != key) ++wrong;
            }
        });
    team.clear();
    CHECK(wrong == 0);
    CHECK(calls <= threads * rounds);
    CHECK(shared.in_flight() == 0);
}

TEST_CASE("blocking_single_flight: who comes while it runs gets its value, and who comes afterwards begins anew")
{
    scene s;
    std::atomic<int> sum{0};
    {
        std::jthread leader([&] { sum += *s.lead([] { return 7; }); });
        s.begun.wait();
        std::vector<std::jthread> others;
        for (auto const deadline : {weir::never, weir::steady_clock::now() + 1h, weir::never})
            others.emplace_back([&, deadline] { sum += *s.follow(deadline); });
        s.until_waiting(3);
        CHECK(*s.shared.call("coffee", [] { return 1; }) == 1);  // another key is its own
        s.open.count_down();
    }
    CHECK(sum == 28);
    CHECK(s.calls == 1);
    CHECK(*s.follow() == -1);
    CHECK(s.calls == 2);
    CHECK(s.shared.in_flight() == 0);
}

TEST_CASE("blocking_single_flight: one whose deadline passes leaves at once, and the others get their answer")
{
    scene s;
    std::atomic<int> led{0}, followed{0};
    {
        std::jthread leader([&] { led = *s.lead([] { return 7; }); });
        s.begun.wait();
        std::jthread patient([&] { followed = *s.follow(); });
        CHECK(s.follow(weir::steady_clock::now()).error().code == weir::errc::deadline_exceeded);
        CHECK(s.follow(weir::steady_clock::now() + 2ms).error().code == weir::errc::deadline_exceeded);
        s.until_waiting(3);
        CHECK(led == 0);
        CHECK(followed == 0);
        s.open.count_down();
    }
    CHECK(led == 7);
    CHECK(followed == 7);
    CHECK(s.calls == 1);
}

TEST_CASE("blocking_single_flight: the error and the exception of the leader reach all")
{
    struct lost {
        int what;
    };
    // Held here, so that the last reference does not go on one of the threads: the count is the runtime library's,
    // which ThreadSanitizer does not see.
    auto const thrown = std::make_exception_ptr(lost{9});
    for (bool const throws : {false, true}) {
        scene s;
        std::atomic<int> told{0};
        auto const ask = [&](auto how) {
            try {
                auto const r = how();
                if (!r && r.error().code == reset) ++told;
            } catch (lost const& l) {
                told += l.what;
            }
        };
        {
            std::jthread leader([&] {
                ask([&] {
                    return s.lead([&]() -> weir::result<int> {
                        if (throws) std::rethrow_exception(thrown);
                        return weir::error(reset);
                    });
                });
            });
            s.begun.wait();
            std::vector<std::jthread> others;
            for (int i = 0; i < 2; ++i) others.emplace_back([&] { ask([&] { return s.follow(); }); });
            s.until_waiting(2);
            s.open.count_down();
        }
        CHECK(told == (throws ? 27 : 3));
        CHECK(s.shared.in_flight() == 0);
    }
}

TEST_CASE("blocking_single_flight: an operation that asks for its own key is told, and does not wait for itself")
{
    weir::blocking_single_flight<std::string, int> shared;
    auto const r = shared.call("tea", [&] { return shared.call("tea", [] { return 1; }); });
    CHECK(r.error().code == std::errc::resource_deadlock_would_occur);
    CHECK(shared.in_flight() == 0);
}

TEST_CASE("blocking_single_flight: around a pipeline, and with keys of one hash")
{
    auto guarded = weir::pipeline(weir::deadline(1s));
    auto const same = [](int) { return std::size_t{1}; };
    weir::blocking_single_flight<int, std::string, decltype(same)> shared(same);
    auto const r = shared.call(1, [&] {
        CHECK(*shared.call(2, [] { return std::string("two"); }) == "two");
        return guarded.call([](weir::attempt const&) { return std::string("one"); });
    });
    CHECK(*r == "one");
}
