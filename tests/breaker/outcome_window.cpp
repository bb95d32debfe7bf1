// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/outcome_window.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using weir::circuit_tally;
using weir::count_window;
using weir::time_point;
using weir::time_window;
using weir::detail::one_call;
using weir::detail::window_with_front;
using counted = window_with_front::counted;

namespace {

constexpr time_point t0{1h};

}  // namespace

TEST_CASE("outcome_window: a success is counted in front once the bucket exists, and until it ends")
{
    window_with_front w(time_window{10s, 10}, 1);
    CHECK(w.count_success(1, t0) == counted::no);
    w.update(one_call(false, false), t0);
    w.watch(false, 1);
    CHECK(w.count_success(1, t0 + 1s - 1ns) == counted::yes);
    CHECK(w.count_success(1, t0 - 1h) == counted::yes);
    CHECK(w.count_success(1, t0 + 1s) == counted::no);
    CHECK(w.total(t0) == circuit_tally{3, 0, 0});
    CHECK(w.total(t0 + 10s) == circuit_tally{});
    w.update(one_call(true, false), t0 + 1s);
    CHECK(w.total() == circuit_tally{4, 1, 0});
}

TEST_CASE("outcome_window: a success of another generation counts nowhere")
{
    window_with_front w(time_window{10s, 10}, 1);
    w.begin(2);
    w.update(one_call(false, false), t0);
    w.watch(false, 2);
    CHECK(w.count_success(1, t0) == counted::yes);
    CHECK(w.count_success(3, t0) == counted::yes);
    CHECK(w.total(t0) == circuit_tally{1, 0, 0});
    CHECK(w.count_success(2, t0) == counted::yes);
    CHECK(w.total(t0) == circuit_tally{2, 0, 0});
}

TEST_CASE("outcome_window: a new generation keeps what the front had counted, unless it is cleared")
{
    window_with_front w(time_window{10s, 10}, 1);
    w.update(one_call(false, false), t0);
    w.watch(false, 1);
    for (int i = 0; i < 5; ++i) CHECK(w.count_success(1, t0) == counted::yes);
    w.begin(2);
    CHECK(w.total(t0) == circuit_tally{6, 0, 0});
    w.clear();
    CHECK(w.total(t0) == circuit_tally{});
}

TEST_CASE("outcome_window: watched, every success asks to be judged, and has been counted")
{
    window_with_front w(time_window{10s, 10}, 1);
    w.update(one_call(true, false), t0);
    w.watch(true, 1);
    CHECK(w.count_success(1, t0) == counted::then_judge);
    w.update({}, t0);
    CHECK(w.total() == circuit_tally{2, 1, 0});
}

TEST_CASE("outcome_window: a count window counts successes in front and keeps the order of all outcomes")
{
    window_with_front w(count_window{3}, 1);
    CHECK(w.count_success(1, t0) == counted::no);
    w.update(one_call(true, false), t0);
    w.watch(false, 1);
    CHECK(w.count_success(1, t0) == counted::yes);
    CHECK(w.count_success(1, t0) == counted::yes);
    CHECK(w.total(t0) == circuit_tally{3, 1, 0});
    w.update(one_call(true, false), t0);  // pushes the first failure out, not a success
    CHECK(w.total() == circuit_tally{3, 1, 0});
}

TEST_CASE("outcome_window: a count window full of successes ignores those of its generation, until a failure")
{
    window_with_front w(count_window{3}, 1);
    w.update(one_call(true, false), t0);
    w.watch(false, 1);
    CHECK(w.count_success(1, t0) == counted::yes);
    CHECK(w.count_success(1, t0) == counted::yes);
    CHECK(w.count_success(1, t0) == counted::then_judge);  // the window is worth a look
    w.update({}, t0);
    w.watch(false, 1);
    for (int i = 0; i < 10; ++i) CHECK(w.count_success(1, t0) == counted::yes);
    CHECK(w.total(t0) == circuit_tally{3, 0, 0});
    w.update(one_call(true, false), t0);
    w.watch(false, 1);
    CHECK(w.total() == circuit_tally{3, 1, 0});
    CHECK(w.count_success(1, t0) == counted::yes);
    CHECK(w.count_success(1, t0) == counted::yes);
    CHECK(w.count_success(1, t0) == counted::then_judge);
    CHECK(w.total(t0) == circuit_tally{3, 0, 0});
}

TEST_CASE("outcome_window: becoming a time window, a count window full of successes counts them again")
{
    window_with_front w(count_window{3}, 1);
    for (int i = 0; i < 3; ++i) w.update(one_call(false, false), t0);
    w.watch(false, 1);
    w.watch_all();
    w.reconfigure(time_window{10s, 10}, t0);
    CHECK(w.count_success(1, t0) == counted::no);
    w.update(one_call(false, false), t0);
    CHECK(w.count_success(1, t0) == counted::then_judge);
    CHECK(w.total(t0) == circuit_tally{5, 0, 0});
}

TEST_CASE("outcome_window: the same options again leave every bucket its age")
{
    window_with_front w(time_window{10s, 10}, 1);
    w.update(one_call(true, false), t0);
    w.update(one_call(false, false), t0 + 9s);
    w.reconfigure(time_window{10s, 10}, t0 + 9s);
    w.update(one_call(false, false), t0 + 10s);
    CHECK(w.total() == circuit_tally{2, 0, 0});
}

TEST_CASE("outcome_window: other options take the front's successes along, and one that comes late is not lost")
{
    window_with_front w(time_window{10s, 10}, 1);
    w.update(one_call(false, false), t0);
    w.watch(false, 1);
    CHECK(w.count_success(1, t0) == counted::yes);
    w.reconfigure(time_window{20s, 10}, t0);
    CHECK(w.total(t0) == circuit_tally{2, 0, 0});
}
