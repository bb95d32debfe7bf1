// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace weir {

/// What share of the CPU that this process may use is in use: by its control group, over that group's quota. The load
/// of the host says nothing to a container with half a core.
///
/// Version 2: `cpu.stat` (usage_usec) and `cpu.max` in the group named by /proc/self/cgroup, the least quota of it and
/// the groups above. Version 1: `cpuacct.usage`, `cpu.cfs_quota_us` and `cpu.cfs_period_us`. Without a quota the share
/// is of all cores. Nothing where there is neither, or the files say something else.
///
/// Units:   1 is the quota; bursts of the kernel may lift it a little above.
/// Threads: one at a time.   Cost: reads a few small files a call; once a second is enough.
/// Source:  Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/cpuacct.rst, scheduler/sched-bwc.rst.
/// Seen in: tests/limit/cgroup_cpu.cpp
class cgroup_cpu {
public:
    /// The contents of a file; nothing if it cannot be read.
    using reader = std::function<std::optional<std::string>(std::string const& path)>;

    explicit cgroup_cpu(reader read = read_file, unsigned cores = std::thread::hardware_concurrency())
        : read_(std::move(read)), cores_(std::max(1u, cores))
    {
    }

    /// The share in use since the last call; nothing at the first one, and when it cannot be told.
    [[nodiscard]] std::optional<double> sample(time_point now)
    {
        auto const used = usage();
        auto const before = std::exchange(last_, used ? std::optional{std::pair{*used, now}} : std::nullopt);
        if (!used || !before || now <= before->second || *used < before->first) return std::nullopt;
        auto const span = std::chrono::duration<double>(between(before->second, now)).count();
        return std::chrono::duration<double>(*used - before->first).count() / span / cores();
    }

    /// Cores this group may use: its quota, or all there are.
    [[nodiscard]] double cores() const
    {
        auto least = static_cast<double>(cores_);
        if (auto const quota = number(read_("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"))) {  // -1: none
            auto const period = number(read_("/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
            if (*quota > 0 && period && *period > 0) least = std::min(least, double(*quota) / double(*period));
            return least;
        }
        for (auto group = path();; group.resize(group.rfind('/'))) {
            if (auto const text = read_("/sys/fs/cgroup" + group + "/cpu.max")) {
                auto const space = text->find(' ');
                auto const quota = number(text->substr(0, space));  // "max": none
                auto const period = space == text->npos ? std::nullopt : number(text->substr(space + 1));
                if (quota && *quota > 0 && period && *period > 0)
                    least = std::min(least, double(*quota) / double(*period));
            }
            if (group.empty()) return least;
        }
    }

    [[nodiscard]] static std::optional<std::string> read_file(std::string const& path)
    {
        std::ifstream file{path};
        if (!file) return std::nullopt;
        return std::string(std::istreambuf_iterator<char>{file}, {});
    }

private:
    /// Of version 2, below /sys/fs/cgroup: the line "0::/some/group". Empty for the root.
    [[nodiscard]] std::string path() const
    {
        auto const text = read_("/proc/self/cgroup").value_or("");
        std::string_view const lines{text};
        auto const at = lines.starts_with("0::/") ? 0 : lines.find("\n0::/");
        if (at == lines.npos) return {};
        auto const line = lines.substr(lines.find('/', at));
        std::string group{line.substr(0, line.find('\n'))};
        // A group that is seen from outside its name space starts with "/..": look at the root instead.
        return group == "/" || group.find("/..") != group.npos ? std::string{} : group;
    }

    [[nodiscard]] std::optional<duration> usage() const
    {
        if (auto const ns = number(read_("/sys/fs/cgroup/cpuacct/cpuacct.usage"))) return duration{*ns};
        auto const group = path();
        auto text = read_("/sys/fs/cgroup" + group + "/cpu.stat");
        if (!text) text = read_("/sys/fs/cgroup/cpu.stat");  // in a container that mounts its own group as the root
        if (!text) return std::nullopt;
        constexpr std::string_view field = "usage_usec ";
        auto const at = text->starts_with(field) ? 0 : text->find("\nusage_usec ");
        if (at == text->npos) return std::nullopt;
        auto const us = number(text->substr(at + field.size() + (at != 0)));
        if (!us || *us > duration::max().count() / 1000) return std::nullopt;
        return std::chrono::microseconds{*us};
    }

    /// The number at the beginning, up to a blank or the end.
    [[nodiscard]] static std::optional<std::int64_t> number(std::optional<std::string> const& text)
    {
        if (!text) return std::nullopt;
        std::int64_t value = 0;
        auto const* const end = text->data() + text->size();
        auto const [stopped, error] = std::from_chars(text->data(), end, value);
        if (error != std::errc{} || (stopped != end && *stopped != ' ' && *stopped != '\n')) return std::nullopt;
        return value;
    }

    reader read_;
    unsigned cores_;
    std::optional<std::pair<duration, time_point>> last_;
};

}  // namespace weir
