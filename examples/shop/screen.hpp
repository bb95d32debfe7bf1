// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "score.hpp"

#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace shop {

/// What the live table shows at one moment.
struct frame {
    arm which = arm::bare;
    double at = 0;
    double come = 0, served = 0, refused = 0, failed = 0;  ///< per second, over the last second
    std::size_t waiting = 0;                               ///< customers
    double p50_ms = 0, p99_ms = 0;
    double tries = 0;                                      ///< requests to the inventory per second
    gauge state = {};
    std::vector<std::string> addresses = {};               ///< of state.instances
};

/// The terminal: a table redrawn in place where that is possible, one line per event where it is not.
class screen {
public:
    /// `live`: redraw. Colours follow the terminal and NO_COLOR.
    screen(bool live, bool colours, story const& s, std::uint64_t seed);
    screen(screen const&) = delete;
    screen& operator=(screen const&) = delete;
    ~screen() { close(); }

    void event(arm which, double at, std::string const& text);
    void draw(frame const& f);

    /// The last picture stays; what is printed next comes below it.
    void close();

    /// The two arms side by side, or one below the other on a narrow terminal. Either may be empty.
    void table(std::vector<row> const& bare, std::vector<row> const& governed) const;

private:
    void turn_to(arm which);
    [[nodiscard]] std::string paint(char const* colour, std::string text) const;
    [[nodiscard]] std::string bar(double filled) const;
    using arm_rows = std::pair<arm, std::vector<row> const*>;

    void rows(std::vector<arm_rows> const& arms) const;
    [[nodiscard]] std::string cells(act const& a, row const& r) const;

    bool live_, colours_;
    story const& story_;
    std::uint64_t seed_;
    int drawn_ = 0;  ///< lines to go up for the next picture
    std::size_t width_ = 0, height_ = 0;  ///< of the terminal as it was then
    arm arm_ = arm::bare;
    std::deque<double> served_;
    std::deque<std::string> events_;
};

[[nodiscard]] bool is_terminal() noexcept;
[[nodiscard]] bool wants_colours() noexcept;

}  // namespace shop
