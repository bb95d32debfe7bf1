// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/keyed_limiter_options.hpp>

#include <weir/limit/keyed_limiter.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::keyed_limiter_options;

namespace {

template <class Policy>
std::string thrown_by(keyed_limiter_options const& o)
{
    try {
        weir::keyed_limiter<std::uint64_t, Policy> const l{o};
    } catch (std::invalid_argument const& e) {
        return e.what();
    }
    return "nothing";
}

template <class Policy>
void check_thrown(keyed_limiter_options const& o, std::string const& field)
{
    CHECK(thrown_by<Policy>(o).find("weir: keyed_limiter_options." + field + " must be ") == 0);
}

}  // namespace

TEST_CASE_TEMPLATE("keyed_limiter_options: what is out of range is named", Policy, weir::exact_keys, weir::compact_keys)
{
    check_thrown<Policy>({.quotas = {}}, "quotas.size");
    check_thrown<Policy>({.quotas = std::vector<weir::keyed_quota>(9)}, "quotas.size");
    check_thrown<Policy>({.capacity = 0}, "capacity");
    check_thrown<Policy>({.capacity = (std::size_t{1} << 40) + 1}, "capacity");
    check_thrown<Policy>({.quotas = {{weir::per_second(0), 1}}}, "quotas[0].rate.permits");
    check_thrown<Policy>({.quotas = {{}, {{1, 0s}, 1}}}, "quotas[1].rate.per");
    check_thrown<Policy>({.quotas = {{{1, 366 * 24h}, 1}}}, "quotas[0].rate.per");
    check_thrown<Policy>({.quotas = {{weir::per_second(1'000'000'001), 1}}}, "quotas[0].rate.permits");
    check_thrown<Policy>({.quotas = {{weir::per_second(1), 1'000'000'001}}}, "quotas[0].burst");
}

TEST_CASE_TEMPLATE("keyed_limiter_options: the ends of the ranges are accepted", Policy, weir::exact_keys,
                   weir::compact_keys)
{
    CHECK(thrown_by<Policy>({}) == "nothing");
    CHECK(thrown_by<Policy>({.quotas = std::vector<weir::keyed_quota>(8), .capacity = 1}) == "nothing");
    CHECK(thrown_by<Policy>({.quotas = {{{1, 365 * 24h}, 1'000'000'000}}, .capacity = 1}) == "nothing");
    CHECK(thrown_by<Policy>({.quotas = {{weir::per_second(1'000'000'000), 1'000'000'000}}, .capacity = 1}) ==
          "nothing");
}

TEST_CASE("keyed_limiter_options: a reconfiguration to more than fits is refused as a whole, and says so")
{
    constexpr weir::time_point start{10h};
    weir::keyed_limiter<> l{{.quotas = {{weir::per_second(10), 10}}, .capacity = 10}};
    CHECK(l.try_acquire(1, 10, start));
    CHECK_THROWS_AS(l.reconfigure({.quotas = {{}, {}}}, start), std::invalid_argument);
    CHECK_THROWS_WITH_AS(l.reconfigure({.quotas = {{weir::per_second(1'000'000'000), 10}}}, start),
                         doctest::Contains("keyed_limiter_options.quotas[0] must be of burst, or of permits in 4 s"),
                         std::invalid_argument);
    CHECK_NOTHROW(l.reconfigure({.quotas = {{weir::per_second(320), 1280}}}, start));
    CHECK(l.available(1, start) == 1270);
}
