// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Retries and their budget in an overload; `benchmarks/run evidence` runs the same for five seeds.
#include <support/retry_storm.hpp>
#include <support/thorough.hpp>

#include <doctest/doctest.h>

namespace {

void holds(weir::model::experiment const& e)
{
    auto const ours = e.ours(1), naive = e.naive(1);
    for (std::size_t k = 0; k < e.bars.size(); ++k) {
        CAPTURE(e.bars[k].what);
        INFO("weir: ", ours[k], ", naive: ", naive[k]);
        CHECK(e.bars[k].met_by(ours[k]));
        CHECK_FALSE(e.bars[k].met_by(naive[k]));
    }
}

}  // namespace

TEST_CASE("machine, overload: with a budget a retry storm ends when it would without retries; without one, never")
{
    holds(weir::model::storm_recovery(weir::test::sanitized ? 0.7 : 0.85));  // at less load it is over sooner
}

TEST_CASE("machine, overload: of 10, 100 or 1000 clients with a budget each, none makes an outage much worse")
{
    for (auto const clients : {10u, 100u, 1000u}) holds(weir::model::storm_amplification(clients));
}
