// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/scenario.hpp"

#include <weir/core/detail/calibrated_clock.hpp>

namespace never_over {
namespace {

using namespace std::chrono_literals;

/// A counter of two ticks a nanosecond, and time that passes when a thread says so.
struct counter {
    std::int64_t* ns;

    static bool trusted() noexcept { return true; }
    [[nodiscard]] std::uint64_t ticks() const noexcept { return static_cast<std::uint64_t>(2 * *ns); }
    [[nodiscard]] weir::time_point reference() const noexcept { return at(*ns); }
};

/// One draws new lines, a second apart, while others read: half of one line and half of another is off by a second.
struct new_lines {
    std::int64_t ns = 1'000'000'000'000;
    weir::detail::calibrated_clock<counter> clock{counter{&ns}};
    std::string wrong;

    new_lines()
    {
        weir::duration seen = weir::duration::min();
        for (int i = 0; i < 3; ++i, ns += 11'000'000) (void)clock.now(seen);
        for (int i = 0; i < 20; ++i, ns += 500'000'000) (void)clock.now(seen);
        if (!clock.live()) wrong = "not live";
    }

    void thread(unsigned i)
    {
        weir::duration seen = weir::duration::min();
        for (int k = 0; k < 2; ++k) {
            if (i == 0) ns += (1100 - 1099 * k) * 1'000'000;  // a line is used for a second
            auto const before = ns;
            auto const last = seen;
            auto const told = clock.now(seen).time_since_epoch();
            if (told < last) wrong = "back";
            if (told.count() < before - 1000) wrong = "behind by " + std::to_string(before - told.count());
            if (told.count() > ns + 1000) wrong = "ahead by " + std::to_string(told.count() - ns);
        }
    }
    std::string end() { return wrong; }
};

scenarios const of_clock{[](std::vector<scenario>& all) {
    all.push_back(make_scenario<new_lines>("calibrated_clock: a new line while others read", 3, 2));
}};

}  // namespace
}  // namespace never_over
