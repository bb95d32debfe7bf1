// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "story.hpp"

#include <string>
#include <utility>
#include <vector>

namespace shop {

/// One curve over the time of the story. Points may have gaps: a new piece begins where `pieces` does.
struct curve {
    std::string style;                                   ///< CSS classes of the page, as "bare p99"
    std::vector<std::vector<std::pair<double, double>>> pieces;  ///< (second, value)
};

/// A chart as inline SVG: the acts shaded and named, a grid, and curves over it. Colours come from the page's style
/// sheet.
struct chart {
    std::string title, note = {};
    double low = 0, high = 100;
    bool logarithmic = false;
    std::vector<std::pair<double, std::string>> ticks;   ///< value and label
    std::vector<curve> curves = {};
    std::vector<std::pair<double, std::string>> marks = {};   ///< second and label: a vertical line
    std::string legend = {};                                  ///< HTML

    [[nodiscard]] std::string svg(story const& s) const;
};

/// A row of coloured stretches over the time of the story.
struct band {
    struct stretch {
        double begin, end;
        std::string style, label;
    };
    std::string title;
    std::vector<stretch> stretches;
};

[[nodiscard]] std::string svg(story const& s, std::vector<band> const& bands);

}  // namespace shop
