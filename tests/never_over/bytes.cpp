// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/rows.hpp"
#include "support/rate_policy_probe.hpp"

#include <weir/http/byte_rate.hpp>

namespace never_over {
namespace {

/// Every thread is a stream: it asks what it may move, and has moved it some time later. A permit is a byte.
verdict bytes(plan const& p, bool flips)
{
    using probe = weir::test::rate_policy_probe;
    run_time time{p};
    weir::http::byte_rate_options const o{
        .write = p.of.rate.permits,
        .burst = weir::duration{static_cast<std::int64_t>(p.of.burst * 1'000'000'000 / p.of.rate.permits)},
        .transfer = p.traffic.most,
        .least = 1};
    weir::http::basic_byte_rate<run_clock> limit{o, time.clock};
    struct stream {
        weir::http::basic_byte_rate<run_clock> limit;
        std::size_t moving = 0;
    };
    std::vector<stream> streams(p.threads, {limit});
    std::vector<flip> changes;
    auto const often = std::max<std::uint64_t>(p.decisions / p.threads / 64, 1);
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) {
        if (flips && t.thread == 0 && t.random.one_in(often)) {
            auto next = o;
            auto const slower = 1 + t.random.below(5);
            next.write = std::max<std::uint64_t>(1, o.write / slower);  // and a burst of fewer bytes
            auto const from = time.clock.count();
            limit.reconfigure(next);
            changes.push_back({from, time.clock.count(), weir::per_second(next.write)});
        }
        auto& mine = streams[t.thread];
        if (mine.moving == 0) {
            mine.moving = probe::can_write(mine.limit);
        } else {
            probe::has_written(mine.limit, mine.moving);
            auto const n = static_cast<std::uint32_t>(mine.moving);
            t.admissions.push_back({t.now.time_since_epoch().count(), t.clock.count(), n});
            mine.moving = 0;
        }
    });
    // Bytes are counted when they have been moved; each stream may have been told of the last ones.
    auto const told = int128{p.threads} * p.traffic.most * p.of.rate.per.count();
    return judge(h, with_flips(p.of.rate, changes, {}), p.of.burst, told);
}

rows const of_bytes{[](std::vector<row>& all) {
    using namespace std::chrono_literals;
    // Bursts of whole nanoseconds.
    std::vector<quota> const quotas{{{1, 1s}, 2},
                                    {{10, 1s}, 1},
                                    {{1'000, 1s}, 10},
                                    {{50'000, 1s}, 500},
                                    {{1'000'000, 1s}, 1'000},
                                    {{20'000'000, 1s}, 20'000'000},
                                    {{1'000'000'000, 1s}, 65'536},
                                    {{1'000'000'000'000, 1s}, 1'000'000}};
    all.push_back({"byte_rate", [](plan const& p) { return bytes(p, false); }, 64, quotas});
    all.push_back({"byte_rate, rate flips", [](plan const& p) { return bytes(p, true); }, 64, quotas});
}};

}  // namespace
}  // namespace never_over
