// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a concurrency limit adds to a call: taking a slot and giving it back, which no exact limit that threads share
// does in less than two operations on a locked line; refusing; and handing a slot to one who waits.

#include "../support/limiters.hpp"

#include <weir/limit/concurrency_limit.hpp>

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using bench::contender;
using weir::concurrency_limit;
using weir::time_point;

constexpr time_point t0{1h};

/// Two locked operations on a thread's own line: one to come, one to go.
contender two_xadds()
{
    return {"two lock xadds, own line", [all = bench::floors::lines()](unsigned thread, unsigned n) {
                auto& word = (*all)[thread].word;
                for (unsigned i = 0; i < n; ++i) {
                    bench::keep(word.fetch_add(1, std::memory_order_relaxed));
                    bench::keep(word.fetch_sub(1, std::memory_order_relaxed));
                }
                return true;
            }};
}

contender take_and_give_back(std::string name, bool timed)
{
    auto const own = std::make_shared<bench::fresh<concurrency_limit>>();
    return {std::move(name),
            [own, timed](unsigned, unsigned n) {
                bool good = true;
                for (unsigned i = 0; i < n; ++i) {
                    auto a = own->limiter->admit(t0);
                    good &= static_cast<bool>(a);
                    if (timed && a) a->record(weir::outcome::success(), t0 + 1ms);
                }
                return good;
            },
            [own](unsigned) { own->make({.limit = 1000}); }};
}

contender refuse()
{
    struct taken {
        concurrency_limit limit{{.limit = 1}};
        std::optional<concurrency_limit::token> only{*limit.admit(t0)};
        ~taken() { only.reset(); }
    };
    return {"concurrency_limit: deny", [own = std::make_shared<taken>()](unsigned, unsigned n) {
                bool good = true;
                for (unsigned i = 0; i < n; ++i) good &= !own->limit.admit(t0);
                return good;
            }};
}

struct heir final : concurrency_limit::waiter {
    std::optional<concurrency_limit::token> slot;
    void granted(concurrency_limit::token t) noexcept override { slot.emplace(std::move(t)); }
};

contender hand_over()
{
    return {"concurrency_limit: two hand-overs to a waiter", [](unsigned, unsigned n) {
                concurrency_limit limit{{.limit = 1}};
                heir a, b;
                a.slot.emplace(*limit.admit(t0));
                bool good = true;
                for (unsigned i = 0; i < n; ++i) {
                    good &= !limit.enqueue(b, t0);
                    a.slot.reset();  // goes to b
                    good &= !limit.enqueue(a, t0);
                    b.slot.reset();  // goes to a
                }
                good &= static_cast<bool>(a.slot);
                a.slot.reset();
                return good;
            }};
}

}  // namespace

int main(int argc, char** argv)
{
    bench::report r("concurrency_limit", argc, argv);
    auto const* const pair = "concurrency_limit: take and give back";
    auto const& t = bench::by_threads(
        r,
        [&] {
            return std::vector{bench::floors::xadd(),
                               two_xadds(),
                               take_and_give_back(pair, false),
                               take_and_give_back("concurrency_limit: take and record", true),
                               refuse(),
                               hand_over()};
        },
        "two lock xadds, own line", pair, "concurrency_limit");
    char note[96];
    std::snprintf(note, sizeof note, "two lock xadds on an own line take %.1f ns here: %.2f times that",
                  t.ns("two lock xadds, own line"), t.ratio(pair, "two lock xadds, own line"));
    r.judge({.name = "concurrency_limit acquire and release",
             .value = t.ns(pair),
             .limit = 5,
             .unit = "ns",
             .note = note});
    return r.finish();
}
