// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "chart.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace shop {

namespace {

constexpr double width = 1000, left = 56, right = 14, top = 22, plot = 150, bottom = 22;

std::string num(double v)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", v);
    return text;
}

// Places seconds of the story across the width.
struct scale {
    double length;
    [[nodiscard]] double x(double t) const { return left + (width - left - right) * std::clamp(t / length, 0.0, 1.0); }
};

std::string line(double x1, double y1, double x2, double y2, char const* style)
{
    return "<line class='" + std::string(style) + "' x1='" + num(x1) + "' y1='" + num(y1) + "' x2='" + num(x2) +
           "' y2='" + num(y2) + "'/>";
}

std::string text(double x, double y, std::string const& style, std::string const& words)
{
    return "<text class='" + style + "' x='" + num(x) + "' y='" + num(y) + "'>" + words + "</text>";
}

std::string box(double x, double y, double w, double h, std::string const& style)
{
    return "<rect class='" + style + "' x='" + num(x) + "' y='" + num(y) + "' width='" + num(std::max(0.0, w)) +
           "' height='" + num(h) + "'/>";
}

// The acts behind everything: the fault darker, the time to get well lighter, a name on top.
std::string acts(story const& s, scale const& sc, double height)
{
    std::string out;
    for (auto const& a : s.acts) {
        if (a.what != fault::none) {
            out += box(sc.x(a.begin), top, sc.x(a.until) - sc.x(a.begin), height, "fault");
            out += box(sc.x(a.until), top, sc.x(a.end) - sc.x(a.until), height, "settle");
        }
        out += text((sc.x(a.begin) + sc.x(a.end)) / 2, top - 7, "act", std::string(a.name));
    }
    return out;
}

std::string seconds_axis(story const& s, scale const& sc, double y)
{
    std::string out;
    double const step = s.length() > 15 ? 2 : 1;
    for (double t = 0; t <= s.length(); t += step)
        out += text(sc.x(t), y + 16, "tick mid", num(t).substr(0, num(t).find('.')) + (t == 0 ? " s" : ""));
    return out;
}

std::string frame(double height, std::string const& inside, std::string const& label)
{
    return "<svg viewBox='0 0 1000 " + num(height) + "' role='img' aria-label='" + label + "'>" + inside + "</svg>\n";
}

}  // namespace

std::string chart::svg(story const& s) const
{
    scale const sc{s.length()};
    auto const y = [&](double v) {
        double share = 0;
        if (logarithmic)
            share = std::log(std::max(v, low) / low) / std::log(high / low);
        else
            share = (v - low) / (high - low);
        return top + plot * (1 - std::clamp(share, 0.0, 1.0));
    };

    std::string out = acts(s, sc, plot);
    for (auto const& [value, label] : ticks) {
        out += line(left, y(value), width - right, y(value), "grid");
        out += text(left - 8, y(value) + 4, "tick end", label);
    }
    for (auto const& [t, label] : marks) {
        out += line(sc.x(t), top, sc.x(t), top + plot, "mark");
        out += text(sc.x(t) - 4, top + 12, "tick end marked", label);
    }
    for (auto const& c : curves)
        for (auto const& piece : c.pieces) {
            out += "<polyline class='curve " + c.style + "' points='";
            for (auto const& [t, v] : piece) out += num(sc.x(t)) + "," + num(y(v)) + " ";
            out += "'/>";
        }
    out += seconds_axis(s, sc, top + plot);
    return "<figure><figcaption><b>" + title + "</b> <span>" + note + "</span><span class='legend'>" + legend +
           "</span></figcaption>" + frame(top + plot + bottom, out, title) + "</figure>\n";
}

std::string svg(story const& s, std::vector<band> const& bands)
{
    scale const sc{s.length()};
    constexpr double row = 30, thick = 18;
    double const height = row * static_cast<double>(bands.size());
    std::string out = acts(s, sc, height);
    for (std::size_t i = 0; i < bands.size(); ++i) {
        double const y = top + row * static_cast<double>(i) + (row - thick) / 2;
        out += text(left - 8, y + 13, "tick end", bands[i].title);
        for (auto const& each : bands[i].stretches) {
            double const x = sc.x(each.begin), w = sc.x(each.end) - x;
            out += box(x, y, w, thick, each.style);
            if (w > 40) out += text(x + 5, y + 13, "tick in-band", each.label);
        }
    }
    return frame(top + height + bottom, out + seconds_axis(s, sc, top + height), "state");
}

}  // namespace shop
