// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/tally.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::detail {

/// The trial calls of one half-open period: exactly N of them, each with a lease. One that has not reported when its
/// lease ends counts as a slow failure, so the period cannot hang on a probe that never comes back; one that was
/// returned unsettled leaves its place to another. Not thread-safe: the breaker holds its lock.
class probes {
public:
    enum class verdict { undecided, healthy, sick };

    explicit probes(unsigned n) : wanted_(n) { reserve(n); }

    /// Throws std::bad_alloc; taking a place then never allocates.
    void reserve(unsigned n) { in_flight_.reserve(n); }

    /// Wants n from now on, for which there is memory. Probes in flight and results so far stay.
    void want(unsigned n) noexcept { wanted_ = n; }

    void begin() noexcept
    {
        in_flight_.clear();
        decided_ = {};
    }

    /// A serial number, never 0; or 0 when all places are taken or have been decided.
    [[nodiscard]] std::uint64_t take(time_point lease_end) noexcept
    {
        if (in_flight_.size() + decided_.calls >= wanted_) return 0;
        in_flight_.push_back({++serial_, lease_end});
        return serial_;
    }

    /// False when that probe's lease has ended before.
    bool give_back(std::uint64_t serial) noexcept
    {
        auto const it =
            std::find_if(in_flight_.begin(), in_flight_.end(), [=](lease const& l) { return l.serial == serial; });
        if (it == in_flight_.end()) return false;
        *it = in_flight_.back();
        in_flight_.pop_back();
        return true;
    }

    /// False when that probe's lease has ended before: it has failed already.
    bool settle(std::uint64_t serial, bool failed, bool slow) noexcept
    {
        if (!give_back(serial)) return false;
        decided_ += one_call(failed, slow);
        return true;
    }

    void expire(time_point now) noexcept
    {
        for (std::size_t i = 0; i < in_flight_.size();) {
            if (now >= in_flight_[i].end)
                settle(in_flight_[i].serial, true, true);
            else
                ++i;
        }
    }

    /// `never` without probes in flight.
    [[nodiscard]] time_point earliest_lease_end() const noexcept
    {
        auto earliest = never;
        for (auto const& l : in_flight_) earliest = std::min(earliest, l.end);
        return earliest;
    }

    /// Decided as soon as the probes still out cannot change it. Rates are over all N; slow_rate 0: slowness is not
    /// judged; success_rate not 0: so many must succeed, and failure_rate does not matter.
    [[nodiscard]] verdict judge(double failure_rate, double slow_rate, double success_rate = 0) const noexcept
    {
        auto const n = std::max<std::uint64_t>(wanted_, decided_.calls);  // N may have been lowered meanwhile
        auto const open = n - decided_.calls;
        bool const judge_slow = slow_rate > 0;
        auto const sick = [&](std::uint64_t failures) {
            return success_rate > 0 ? !reaches(n - failures, n, success_rate) : reaches(failures, n, failure_rate);
        };
        if (sick(decided_.failures)) return verdict::sick;
        if (judge_slow && reaches(decided_.slow, n, slow_rate)) return verdict::sick;
        if (sick(decided_.failures + open)) return verdict::undecided;
        if (judge_slow && reaches(decided_.slow + open, n, slow_rate)) return verdict::undecided;
        return verdict::healthy;
    }

private:
    struct lease {
        std::uint64_t serial;
        time_point end;
    };

    std::size_t wanted_ = 0;
    std::vector<lease> in_flight_;
    circuit_tally decided_;
    std::uint64_t serial_ = 0;
};

}  // namespace weir::detail
