// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/rows.hpp"

#include <weir/limit/concurrency_limit.hpp>

#include <optional>

namespace never_over {
namespace {

struct in_line final : weir::concurrency_waiter {
    void granted(weir::concurrency_slot s) noexcept override
    {
        slot.emplace(std::move(s));
        has_slot.store(true, std::memory_order_release);
    }
    std::optional<weir::concurrency_slot> slot;
    std::atomic<bool> has_slot{false};
};

/// Callers that are in at once, counted by themselves: after they came in, and before they say that they leave.
verdict slots(plan const& p)
{
    auto const limit = static_cast<std::uint32_t>(p.of.burst);
    weir::concurrency_limit limiter{{.limit = limit, .max_queue = 40, .name = {}}};
    std::atomic<std::uint32_t> in{0};
    std::atomic<std::uint32_t> most{0};
    std::atomic<std::uint64_t> admitted{0};
    auto const work = [&](turn const& t, weir::concurrency_slot slot) {
        auto const now_in = in.fetch_add(1) + 1;
        for (auto seen = most.load(); seen < now_in && !most.compare_exchange_weak(seen, now_in);) {}
        admitted.fetch_add(1, std::memory_order_relaxed);
        if (t.random.one_in(4)) weir::yielding::disturb(t.random());
        in.fetch_sub(1);
        if (t.random.one_in(2)) slot.record(weir::outcome::success(), t.now);
    };
    run_time time{p};
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) {
        if (t.thread == 0 && t.random.one_in(1000))
            limiter.reconfigure({.limit = limit - static_cast<std::uint32_t>(t.random.below(limit)), .max_queue = 40});
        if (t.random.one_in(2)) {
            if (auto a = limiter.admit(t.now)) work(t, *std::move(a));
            return;
        }
        in_line w;
        if (auto answer = limiter.enqueue(w, t.now)) {
            if (*answer) work(t, **std::move(answer));
            return;
        }
        // Half of them lose patience; the others would wait for ever if a wake-up were lost.
        if (t.random.one_in(2)) {
            weir::yielding::disturb(t.random());
            if (limiter.cancel(w)) return;
        }
        while (!w.has_slot.load(std::memory_order_acquire)) std::this_thread::yield();
        work(t, std::move(*w.slot));
    });

    verdict v;
    v.decisions = h.decisions;
    v.admitted = admitted;
    v.share = static_cast<double>(most) / limit;
    v.over = most > limit || limiter.in_flight() != 0 || limiter.waiting() != 0;
    v.where = std::to_string(most) + " of " + std::to_string(limit) + " in at once, at the end " +
              std::to_string(limiter.in_flight()) + " in and " + std::to_string(limiter.waiting()) + " waiting";
    return v;
}

rows const of_concurrency{[](std::vector<row>& all) {
    all.push_back({"concurrency_limit", slots, 64, {{{}, 1}, {{}, 2}, {{}, 5}, {{}, 30}}});
}};

}  // namespace
}  // namespace never_over
