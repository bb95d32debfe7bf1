// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/outcome.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/shedding_queue.hpp>

#include <support/experiment.hpp>
#include <support/server_model.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

namespace weir::model {

/// The storm that retry_storm.hpp describes, with callers who try again at once, up to three times, and a queue of
/// production before the ten workers.
class queue_storm {
    using queue = shedding_queue<>;
    static constexpr time_point start{std::chrono::hours{1}};
    static constexpr duration patience = std::chrono::milliseconds{500};

public:
    queue_storm(queue::options o, bool tell_deadlines, std::uint64_t seed)
        : tell_deadlines_(tell_deadlines), queue_((o.concurrency.limit = 10, o)), random_(seed)
    {
        push(duration::zero(), event::arrival, 0);
    }
    ~queue_storm()
    {
        for (auto& a : attempts_) (void)queue_.cancel(a), a.slot.reset();
    }

    /// The share of the calls begun in [from, to) that succeed.
    double success(duration from, duration to)
    {
        while (!events_.empty() && events_.top().at < start + to + std::chrono::seconds(3)) {
            auto const e = events_.top();
            events_.pop();
            now_ = e.at;
            switch (e.what) {
                case event::arrival:
                    push(scaled(std::chrono::seconds(1), exponential(random_) / 850), event::arrival, 0);
                    calls_.push_back({now_});
                    send(calls_.size() - 1);
                    break;
                case event::done: {
                    auto& a = attempts_[e.index];
                    a.slot->record(outcome::success(), now_);
                    if (now_ < a.gives_up) calls_[a.call].succeeded = true;
                    a.over = true;
                    break;
                }
                case event::gives_up: {
                    auto& a = attempts_[e.index];
                    if (!calls_[a.call].succeeded) send(a.call);
                    break;
                }
            }
        }
        double began = 0, succeeded = 0;
        for (auto const& c : calls_)
            if (c.began >= start + from && c.began < start + to) ++began, succeeded += c.succeeded;
        return succeeded / began;
    }

private:
    struct attempt final : queue::waiter {
        queue_storm* owner = nullptr;
        std::size_t index = 0, call = 0;
        time_point gives_up{};
        std::optional<queue::token> slot;
        bool over = false;

        void serve(queue::token t)
        {
            slot.emplace(std::move(t));
            auto& o = *owner;
            bool const trigger =
                o.now_ >= start + std::chrono::seconds(10) && o.now_ < start + std::chrono::seconds(20);
            o.push(
                scaled(trigger ? std::chrono::milliseconds(50) : std::chrono::milliseconds(10), exponential(o.random_)),
                event::done, index);
        }

    private:
        void granted(queue::token t) noexcept override { serve(std::move(t)); }
        void shed(rejection) noexcept override {}  // the caller learns nothing: the worst case
    };
    struct call {
        time_point began;
        int sent = 0;
        bool succeeded = false;
    };
    struct event {
        enum kind { arrival, done, gives_up };
        time_point at;
        std::uint64_t order;
        kind what;
        std::size_t index;
        bool operator<(event const& o) const { return at != o.at ? at > o.at : order > o.order; }
    };

    void push(duration in, event::kind what, std::size_t index) { events_.push({now_ + in, order_++, what, index}); }

    void send(std::size_t which)
    {
        if (calls_[which].sent == 4) return;
        ++calls_[which].sent;
        auto const index = attempts_.size();
        auto& a = attempts_.emplace_back();
        a.owner = this, a.index = index, a.call = which, a.gives_up = now_ + patience;
        push(patience, event::gives_up, index);
        if (auto answer = queue_.enqueue(a, {.deadline = tell_deadlines_ ? a.gives_up : never}, now_))
            if (*answer) a.serve(*std::move(*answer));
    }

    bool tell_deadlines_;
    queue queue_;
    random_engine random_;
    time_point now_ = start;
    std::uint64_t order_ = 0;
    std::priority_queue<event> events_;
    std::deque<attempt> attempts_;
    std::vector<call> calls_;
};

inline constexpr std::uint32_t endless = 1'000'000;

/// From two seconds after the trigger. Naive: an endless queue, first come first served; `drops_expired`: which drops a
/// caller who has gone.
[[nodiscard]] inline experiment shed_storm(bool drops_expired)
{
    using namespace std::chrono_literals;
    return {drops_expired ? "a queue that drops the expired" : "first come first served",
            {{"storm, no budget, shedding_queue: success 2 s later", 0.99, false}},
            [](std::uint64_t seed) -> std::vector<double> {
                return {queue_storm{{.max_queue = endless}, true, seed}.success(22s, 30s)};
            },
            [=](std::uint64_t seed) -> std::vector<double> {
                return {queue_storm{{.max_queue = endless, .interval = 1h, .slack = 0}, drops_expired, seed}.success(
                    22s, 50s)};
            }};
}

}  // namespace weir::model
