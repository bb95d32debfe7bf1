// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "never_over/history.hpp"
#include "support/explorer.hpp"

#include <weir/core/atomic.hpp>
#include <weir/core/time.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace never_over {

/// A few threads with a few steps each, to be run in every order.
struct scenario {
    std::string name;
    unsigned threads;
    unsigned bound;  ///< preemptions that the short run explores
    std::function<weir::exploring::result(weir::exploring::options const&)> explore;
};

/// S: default-constructible; `void thread(unsigned)`; `std::string end()`, empty when all is well.
template <class S>
scenario make_scenario(std::string name, unsigned threads, unsigned bound)
{
    return {std::move(name), threads, bound, [threads](weir::exploring::options const& o) {
                std::unique_ptr<S> s;
                weir::exploring::explorer e{o};
                auto r = e.explore(
                    threads, [&] { s = std::make_unique<S>(); }, [&](unsigned i) { s->thread(i); },
                    [&] { return s->end(); });
                if (!r.failure.empty()) (void)s.release();  // threads may still stand in the middle of it
                return r;
            }};
}

/// A clock whose reading is a step like any other.
struct stepping_clock {
    weir::atomic<std::int64_t>* at;
    [[nodiscard]] weir::time_point now() const noexcept { return weir::time_point{weir::duration{at->load()}}; }
};

inline weir::time_point at(std::int64_t ns) { return weir::time_point{weir::duration{ns}}; }

/// "" or what was over.
inline std::string over(std::vector<admitted> const& h, allowance const& a, std::uint64_t burst)
{
    auto const w = worst_interval(h, a);
    if (w.excess <= int128{burst} * a.permit) return {};
    return "over in [" + std::to_string(w.from) + ", " + std::to_string(w.to) + "]";
}

/// All scenarios of the files that are linked into the program; each file adds its own:
///
///     scenarios const of_gcra{[](std::vector<scenario>& all) { ... }};
struct scenarios {
    explicit scenarios(void (*add)(std::vector<scenario>&)) { add(all()); }
    static std::vector<scenario>& all()
    {
        static std::vector<scenario> s;
        return s;
    }
};

}  // namespace never_over
