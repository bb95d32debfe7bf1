// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/telemetry/prometheus.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::telemetry::prometheus;

namespace mine {

struct status {
    std::uint64_t calls = 0;
    weir::duration age{};
};

template <class F>
void describe(F& f, status const& s, weir::time_point)
{
    f.counter("calls", s.calls);
    f.gauge("age", s.age);
}

}  // namespace mine

TEST_CASE("prometheus: a page of statuses, those of one name together")
{
    prometheus page;
    page.add("my_part", mine::status{1'000'000, 1500ms}, {}, {{"service", "orders"}, {"zone", "a"}});
    page.add("my_part", mine::status{3, weir::duration::max()}, {}, {{"service", "stock"}});
    page.add("other", mine::status{}, {});
    CHECK(page.text() ==
          "# TYPE my_part_age_seconds gauge\n"
          "my_part_age_seconds{service=\"orders\",zone=\"a\"} 1.5\n"
          "my_part_age_seconds{service=\"stock\"} +Inf\n"
          "# TYPE my_part_calls_total counter\n"
          "my_part_calls_total{service=\"orders\",zone=\"a\"} 1e+06\n"
          "my_part_calls_total{service=\"stock\"} 3\n"
          "# TYPE other_age_seconds gauge\n"
          "other_age_seconds 0\n"
          "# TYPE other_calls_total counter\n"
          "other_calls_total 0\n");
}

TEST_CASE("prometheus: whatever a label says, it stays within its line")
{
    prometheus page;
    page.add("p", mine::status{}, {}, {{"l", "a\"b\\c\nd 1"}});
    CHECK(page.text().find("p_calls_total{l=\"a\\\"b\\\\c\\nd 1\"} 0\n") != std::string::npos);
    for (auto const* const bad : {"", "1p", "a b", "a-b", "a\nb"}) {
        CHECK_THROWS_AS(page.add(bad, mine::status{}, {}), std::invalid_argument);
        CHECK_THROWS_AS(page.add("p", mine::status{}, {}, {{bad, "x"}}), std::invalid_argument);
    }
    CHECK_THROWS_AS(page.add("p", mine::status{}, {}, {{"a:b", "x"}}), std::invalid_argument);
}
