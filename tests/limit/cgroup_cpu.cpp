// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/cgroup_cpu.hpp>

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace std::chrono_literals;
using weir::cgroup_cpu;
using weir::time_point;

namespace {

constexpr time_point start{1h};
using files = std::map<std::string, std::string>;

auto reader(files const& f)
{
    return [&f](std::string const& path) -> std::optional<std::string> {
        auto const found = f.find(path);
        return found == f.end() ? std::nullopt : std::optional{found->second};
    };
}

}  // namespace

TEST_CASE("cgroup_cpu: version 2, usage over the group's quota")
{
    files f{{"/proc/self/cgroup", "0::/box\n"},
            {"/sys/fs/cgroup/box/cpu.max", "50000 100000\n"},
            {"/sys/fs/cgroup/box/cpu.stat", "usage_usec 1000000\nuser_usec 1\n"}};
    cgroup_cpu cpu{reader(f), 8};
    CHECK(cpu.cores() == 0.5);
    CHECK(!cpu.sample(start));
    f["/sys/fs/cgroup/box/cpu.stat"] = "nr_periods 3\nusage_usec 1450000\n";
    CHECK(cpu.sample(start + 1s) == doctest::Approx(0.9));
    CHECK(cpu.sample(start + 2s) == doctest::Approx(0));
}

TEST_CASE("cgroup_cpu: the least quota of the groups above, or all cores")
{
    files f{{"/proc/self/cgroup", "1:name=x:/y\n0::/a/b/c\n"},
            {"/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n"},
            {"/sys/fs/cgroup/a/b/cpu.max", "300000 100000\n"},
            {"/sys/fs/cgroup/a/cpu.max", "200000 100000\n"}};
    cgroup_cpu cpu{reader(f), 8};
    CHECK(cpu.cores() == 2);
    f["/sys/fs/cgroup/a/cpu.max"] = "max 100000\n";
    CHECK(cpu.cores() == 3);
    f["/sys/fs/cgroup/a/b/cpu.max"] = "900000 100000\n";
    CHECK(cpu.cores() == 8);
}

TEST_CASE("cgroup_cpu: in a container that sees its own group as the root")
{
    files f{{"/proc/self/cgroup", "0::/\n"},
            {"/sys/fs/cgroup/cpu.max", "150000 100000"},
            {"/sys/fs/cgroup/cpu.stat", "usage_usec 0\n"}};
    cgroup_cpu cpu{reader(f), 8};
    CHECK(cpu.cores() == 1.5);
    CHECK(!cpu.sample(start));
    f["/sys/fs/cgroup/cpu.stat"] = "usage_usec 1500000\n";
    CHECK(cpu.sample(start + 1s) == doctest::Approx(1));
    f["/proc/self/cgroup"] = "0::/../sibling\n";
    CHECK(cpu.cores() == 1.5);
}

TEST_CASE("cgroup_cpu: version 1")
{
    files f{{"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n"},
            {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"},
            {"/sys/fs/cgroup/cpuacct/cpuacct.usage", "5000000000\n"}};
    cgroup_cpu cpu{reader(f), 8};
    CHECK(cpu.cores() == 2);
    CHECK(!cpu.sample(start));
    f["/sys/fs/cgroup/cpuacct/cpuacct.usage"] = "6000000000\n";
    CHECK(cpu.sample(start + 1s) == doctest::Approx(0.5));
    f["/sys/fs/cgroup/cpu/cpu.cfs_quota_us"] = "-1\n";
    CHECK(cpu.cores() == 8);
}

TEST_CASE("cgroup_cpu: nothing where there is nothing, or it is not what it should be")
{
    files f;
    cgroup_cpu cpu{reader(f), 0};
    CHECK(cpu.cores() == 1);
    CHECK(!cpu.sample(start));
    for (auto const* text : {"", "usage_usec", "usage_usec ", "usage_usec x", "usage_usec 99999999999999999999",
                             "usage_usec 12x\n", "usage_usec 9223372036854775807", "other 1\n"}) {
        f["/sys/fs/cgroup/cpu.stat"] = text;
        CHECK_MESSAGE(!cpu.sample(start), text);
        CHECK_MESSAGE(!cpu.sample(start + 1s), text);
    }
    for (auto const* text : {"", "0 100000", "50000", "50000 0", "-5 100000", "50000 x", "x y", " "}) {
        f["/sys/fs/cgroup/cpu.max"] = text;
        CHECK_MESSAGE(cpu.cores() == 1, text);
    }
}

TEST_CASE("cgroup_cpu: a counter that goes back, and a clock that stands, tell nothing")
{
    files f{{"/sys/fs/cgroup/cpu.stat", "usage_usec 1000\n"}};
    cgroup_cpu cpu{reader(f), 1};
    CHECK(!cpu.sample(start));
    CHECK(!cpu.sample(start));
    f["/sys/fs/cgroup/cpu.stat"] = "usage_usec 900\n";
    CHECK(!cpu.sample(start + 1s));
    f["/sys/fs/cgroup/cpu.stat"] = "usage_usec 500900\n";
    CHECK(cpu.sample(start + 2s) == doctest::Approx(0.5));
}

TEST_CASE("cgroup_cpu: what this machine says makes sense, where it says something")
{
    cgroup_cpu cpu;
    CHECK(cpu.cores() > 0);
    auto now = start;
    (void)cpu.sample(now);
    if (auto const share = cpu.sample(now += 1s)) CHECK(*share >= 0);
    CHECK(!cgroup_cpu::read_file("/no/such/file"));
}
