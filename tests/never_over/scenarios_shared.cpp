// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/scenario.hpp"

#include <weir/shared/detail/lease_lots.hpp>

namespace never_over {
namespace {

/// Permits that a process holds ahead of a shared limit. Whatever the order: none is made, none is used after its end,
/// and none is lost that nobody was told of.
struct held_ahead {
    using place = weir::detail::lease_lots::place;
    static constexpr std::int64_t tick = 4096;
    static constexpr std::int64_t early = tick, sooner = 10 * tick, late = 15 * tick, later = 20 * tick;

    weir::detail::lease_lots lots;
    std::uint64_t granted = 0, granted_for_late = 0;
    std::uint64_t spent = 0, spent_late = 0;
    std::uint64_t out = 0;  // taken back, or reported lost

    void add(std::uint64_t n, std::int64_t until)
    {
        granted += n;
        if (until > late) granted_for_late += n;
        out += lots.add(n, at(until), 1, at(early));
    }
    void remove(std::size_t lot) { out += lots.remove(lot).permits; }
    void spend(std::uint64_t n, std::int64_t now)
    {
        spent += n;
        if (now == late) spent_late += n;
    }
    void take(std::uint64_t n, std::int64_t now = early)
    {
        if (place from; lots.take(n, at(now), from)) spend(n, now);
    }
    void take_across(std::uint64_t n, std::int64_t now = early)
    {
        if (lots.take_across(n, at(now))) spend(n, now);
    }
    void take_and_put_back(std::uint64_t n)
    {
        place from;
        if (lots.take(n, at(early), from) && !lots.put_back(n, from)) out += n;  // its lot is gone
    }

    std::string end() const
    {
        auto const accounted = spent + out + lots.written();
        if (accounted > granted) return std::to_string(accounted) + " permits, " + std::to_string(granted) + " granted";
        if (accounted < granted) return "permits were lost";
        return spent_late > granted_for_late ? "used after their end" : "";
    }
};

/// A third lot comes while two are held: the older one takes over what is in the younger, of which others take.
struct third_lot : held_ahead {
    third_lot() { add(2, sooner), add(2, later); }
    void thread(unsigned i)
    {
        if (i == 0) return add(3, 2 * later);
        take(1, i == 1 ? late : early), take(2, late);
    }
};

/// The lot that they were taken of is replaced before they come back.
struct replaced : held_ahead {
    replaced() { add(2, sooner), add(1, later); }
    void thread(unsigned i)
    {
        if (i == 0) return add(2, later), add(1, 2 * later);
        take_and_put_back(1), take(1, i == 1 ? late : early);
    }
};

/// What is not used goes back to the store, while a call that was not sent gives back its permit.
struct returned : held_ahead {
    returned() { add(2, sooner), add(2, later); }
    void thread(unsigned i)
    {
        if (i == 0) return remove(0), add(1, sooner), remove(1);
        take_and_put_back(2), take(1);
    }
};

/// More is wanted than one lot has, and another wants and gives back at the same time.
struct across : held_ahead {
    across() { add(2, sooner), add(2, later); }
    void thread(unsigned i)
    {
        if (i == 0) return take_across(3), take(1);
        if (i == 1) return take_and_put_back(1), take_and_put_back(2);
        take_across(3);
    }
};

scenarios const of_shared{[](std::vector<scenario>& all) {
    all.push_back(make_scenario<third_lot>("shared_limit: a third lot comes while others take", 3, 3));
    all.push_back(make_scenario<replaced>("shared_limit: put back where another lot has come", 3, 3));
    all.push_back(make_scenario<returned>("shared_limit: put back while the rest is returned", 3, 3));
    all.push_back(make_scenario<across>("shared_limit: of both lots, while others give back", 3, 3));
}};

}  // namespace
}  // namespace never_over
