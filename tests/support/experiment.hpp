// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// A claim about overload, as something that can be run: the same experiment for a test, which looks at a seed or two,
/// and for `benchmarks/run evidence`, which looks at five and prints them.
namespace weir::model {

/// What is promised of one figure.
struct bar {
    std::string what;
    double limit = 0;
    bool at_most = true;     ///< or at least
    bool of_median = false;  ///< of the median over seeds; otherwise of every seed

    [[nodiscard]] bool met_by(double value) const { return at_most ? value <= limit : value >= limit; }
};

/// weir's arm must meet every bar. On the same seeds the naive one must miss each of them, or the experiment is too
/// easy to prove anything.
struct experiment {
    std::string naive_is;
    std::vector<bar> bars;
    std::function<std::vector<double>(std::uint64_t seed)> ours, naive;  ///< a figure for each bar
};

}  // namespace weir::model
