// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "story.hpp"

#include <weir/core/random.hpp>

#include <cmath>

namespace shop {

story make_story(bool fast)
{
    // Each act: how long the fault lasts, and how long the shop may take to get well.
    struct length { double fault, settle; };
    length const calm = fast ? length{1.2, 0} : length{3.0, 0};
    length const spike = fast ? length{2.0, 1.5} : length{3.5, 2.5};
    length const kill = fast ? length{1.0, 1.2} : length{2.5, 1.5};
    length const slow = fast ? length{1.5, 1.2} : length{3.5, 1.5};
    length const outage = fast ? length{1.0, 1.8} : length{1.3, 2.0};
    length const registry = fast ? length{1.2, 1.2} : length{3.0, 1.5};
    length const recovery = fast ? length{1.0, 0} : length{2.5, 0};

    story s;
    double t = 0;
    auto const add = [&](std::string_view name, fault what, length l, std::string_view says) {
        s.acts.push_back({name, what, t, t + l.fault, t + l.fault + l.settle, says});
        t += l.fault + l.settle;
    };
    add("calm", fault::none, calm, "60 orders/s, a third of what the inventory can do");
    add("spike x6", fault::spike, spike, "360 orders/s, twice what the inventory can do");
    add("kill", fault::kill, kill, "one instance is killed, and started again at another port");
    add("slow", fault::slow, slow, "one instance takes 2 s for everything");
    add("all down", fault::outage, outage, "all instances are killed, and started again at other ports");
    add("no registry", fault::registry, registry, "the registry cannot be reached, and one instance moves meanwhile");
    add("recovery", fault::none, recovery, "nothing more is done to the shop");
    return s;
}

double story::rate_at(double t) const noexcept
{
    auto const& a = act_at(t);
    return a.what == fault::spike && t < a.until ? calm_rate * spike : calm_rate;
}

act const& story::act_at(double t) const noexcept
{
    for (auto const& a : acts)
        if (t < a.end) return a;
    return acts.back();
}

std::vector<double> arrivals(story const& s, std::uint64_t seed)
{
    weir::random_engine random{seed};
    std::vector<double> times;
    // A Poisson process has no memory, so each stretch of constant rate is drawn by itself.
    auto const stretch = [&](double begin, double end) {
        double const rate = s.rate_at(begin);
        double t = begin;
        while ((t -= std::log1p(-weir::uniform_unit(random)) / rate) < end) times.push_back(t);
    };
    for (auto const& a : s.acts) {
        stretch(a.begin, a.until);
        if (a.end > a.until) stretch(a.until, a.end);
    }
    return times;
}

}  // namespace shop
