// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/restless.hpp"
#include "never_over/rows.hpp"

#include <weir/limit/adaptive_limit.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/partitioned_limit.hpp>
#include <weir/limit/shedding_queue.hpp>

#include <optional>
#include <utility>

namespace never_over {
namespace {

/// Callers that are in at once, counted by themselves: after they came in, and before they say that they leave.
class crowd {
public:
    template <class Slot>
    void work(turn const& t, Slot slot)
    {
        auto const now_in = in_.fetch_add(1) + 1;
        for (auto seen = most_.load(); seen < now_in && !most_.compare_exchange_weak(seen, now_in);) {}
        admitted_.fetch_add(1, std::memory_order_relaxed);
        if (t.random.one_in(4)) weir::yielding::disturb(t.random());
        in_.fetch_sub(1);
        if (t.random.one_in(2)) slot.record(weir::outcome::success(), t.now);
    }

    /// Nobody is left, says the limiter.
    [[nodiscard]] verdict judged(history const& h, std::uint32_t limit, std::uint32_t in, std::uint32_t waiting) const
    {
        verdict v;
        v.decisions = h.decisions;
        v.admitted = admitted_;
        v.share = static_cast<double>(most_) / limit;
        v.over = most_ > limit || in != 0 || waiting != 0;
        v.where = std::to_string(most_) + " of " + std::to_string(limit) + " in at once, at the end " +
                  std::to_string(in) + " in and " + std::to_string(waiting) + " waiting";
        return v;
    }

private:
    std::atomic<std::uint32_t> in_{0};
    std::atomic<std::uint32_t> most_{0};
    std::atomic<std::uint64_t> admitted_{0};
};

struct in_line final : weir::concurrency_waiter {
    void granted(weir::concurrency_slot s) noexcept override
    {
        slot.emplace(std::move(s));
        has_slot.store(true, std::memory_order_release);
    }
    std::optional<weir::concurrency_slot> slot;
    std::atomic<bool> has_slot{false};
};

verdict slots(plan const& p)
{
    auto const limit = static_cast<std::uint32_t>(p.of.burst);
    weir::concurrency_limit limiter{{.limit = limit, .max_queue = 40, .name = {}}};
    crowd all;
    run_time time{p};
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) {
        if (t.thread == 0 && t.random.one_in(1000))
            limiter.reconfigure({.limit = limit - static_cast<std::uint32_t>(t.random.below(limit)), .max_queue = 40});
        if (t.random.one_in(2)) {
            if (auto a = limiter.admit(t.now)) all.work(t, *std::move(a));
            return;
        }
        in_line w;
        if (auto answer = limiter.enqueue(w, t.now)) {
            if (*answer) all.work(t, **std::move(answer));
            return;
        }
        // Half of them lose patience; the others would wait for ever if a wake-up were lost.
        if (t.random.one_in(2)) {
            weir::yielding::disturb(t.random());
            if (limiter.cancel(w)) return;
        }
        while (!w.has_slot.load(std::memory_order_acquire)) std::this_thread::yield();
        all.work(t, std::move(*w.slot));
    });
    return all.judged(h, limit, limiter.in_flight(), limiter.waiting());
}

verdict adaptive(plan const& p)
{
    auto const limit = static_cast<std::uint32_t>(p.of.burst);
    run_time time{p};
    weir::basic_adaptive_limit<restless, run_clock> limiter{{.concurrency = {limit}, .name = {}}, time.clock};
    crowd all;
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) {
        if (t.thread == 0 && t.random.one_in(1000))
            limiter.reconfigure(
                {.concurrency = {limit - static_cast<std::uint32_t>(t.random.below(limit))}, .name = {}});
        if (auto a = limiter.admit(t.now)) all.work(t, *std::move(a));
    });
    return all.judged(h, limit, limiter.in_flight(), 0);
}

verdict partitions(plan const& p)
{
    auto const limit = static_cast<std::uint32_t>(p.of.burst);
    using limit_type = weir::partitioned_limit<restless>;
    limit_type::options const o{.concurrency = {limit}, .shares = {0.5, 0.3, 0.1}, .name = {}};
    limit_type limiter{o};
    crowd all;
    run_time time{p};
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) {
        if (t.thread == 0 && t.random.one_in(1000)) {
            auto next = o;
            next.concurrency.most -= static_cast<std::uint32_t>(t.random.below(limit));
            std::swap(next.shares[0], next.shares[t.random.below(3)]);
            limiter.reconfigure(next);
        }
        if (auto a = limiter.admit(t.random.below(3), t.now)) all.work(t, *std::move(a));
    });
    return all.judged(h, limit, limiter.in_flight(), 0);
}

using shedding_queue = weir::shedding_queue<restless>;

struct in_queue final : weir::shedding_waiter<shedding_queue> {
    void granted(weir::shedding_slot<shedding_queue> s) noexcept override
    {
        slot = std::move(s);
        answered.store(true, std::memory_order_release);
    }
    void shed(weir::rejection) noexcept override { answered.store(true, std::memory_order_release); }
    weir::shedding_slot<shedding_queue> slot;
    std::atomic<bool> answered{false};
};

verdict shedding(plan const& p)
{
    auto const limit = static_cast<std::uint32_t>(p.of.burst);
    shedding_queue::options const o{.concurrency = {limit},
                                    .max_queue = 20,
                                    .interval = weir::duration{1'000},
                                    .target = weir::duration{100},
                                    .name = {}};
    shedding_queue limiter{o};
    crowd all;
    run_time time{p};
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) {
        if (t.thread == 0 && t.random.one_in(1000)) {
            auto next = o;
            next.concurrency.most -= static_cast<std::uint32_t>(t.random.below(limit));
            limiter.reconfigure(next);
        }
        if (t.random.one_in(4)) {
            if (auto a = limiter.admit(t.now)) all.work(t, *std::move(a));
            return;
        }
        in_queue w;
        auto const deadline = t.random.one_in(2) ? weir::never : weir::later(t.now, weir::duration{2'000});
        if (auto a = limiter.enqueue(w, {deadline, static_cast<weir::criticality>(t.random.below(4))}, t.now)) {
            if (*a) all.work(t, **std::move(a));
            return;
        }
        if (t.random.one_in(2)) {
            weir::yielding::disturb(t.random());
            if (limiter.cancel(w)) return;
        }
        while (!w.answered.load(std::memory_order_acquire)) std::this_thread::yield();
        if (w.slot) all.work(t, std::move(w.slot));
    });
    return all.judged(h, limit, limiter.in_flight(), limiter.waiting());
}

rows const of_concurrency{[](std::vector<row>& all) {
    std::vector<quota> const limits{{{}, 1}, {{}, 2}, {{}, 5}, {{}, 30}};
    all.push_back({"concurrency_limit", slots, 64, limits});
    all.push_back({"adaptive_limit", adaptive, 64, limits});
    all.push_back({"partitioned_limit", partitions, 64, limits});
    all.push_back({"shedding_queue", shedding, 64, limits});
}};

}  // namespace
}  // namespace never_over
