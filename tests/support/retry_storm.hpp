// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/attempt_timeout.hpp>
#include <weir/call/machine.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>
#include <weir/retry/retry.hpp>
#include <weir/retry/retry_budget.hpp>

#include <support/experiment.hpp>
#include <support/server_model.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

/// The retry storm of L. Huang et al., "Metastable Failures in the Wild", OSDI 2022, in virtual time: callers who give
/// an attempt up after 500 ms, in front of ten workers of 10 ms, first come first served, who also serve what nobody
/// waits for any more. Its trigger: 20 % of the capacity for ten seconds. Each call is a `weir::machine` in a pipeline
/// of production, and each client has a pipeline of its own.
namespace weir::model {

struct storm_options {
    double load = 0.85;  ///< offered over capacity, before retries
    std::size_t clients = 1;
};

/// `Client` has a member `pipeline`.
template <class Client>
class retry_storm {
    using pipeline_type = decltype(Client::pipeline);
    using machine_type = machine<pipeline_type>;

public:
    static constexpr int trigger_begins = 10, trigger_ends = 20;  // seconds

    retry_storm(storm_options const& o, std::uint64_t seed) : options_(o), random_(seed), retry_random_(seed + 1'000)
    {
        for (std::size_t c = 0; c < o.clients; ++c) clients_.push_back(std::make_unique<Client>());
        push(duration::zero(), event::arrival, 0, 0);
    }

    void run_until(int second)
    {
        auto const until = start + std::chrono::seconds(second);
        while (events_.top().at < until) {
            auto const e = events_.top();
            events_.pop();
            now_ = e.at;
            switch (e.what) {
                case event::arrival: arrive(); break;
                case event::served: served(e.call, e.which); break;
                case event::wake:
                    if (auto& c = calls_[e.call]; c.number == e.which && c.wakes == now_) {
                        c.wakes = never;
                        drive(e.call);
                    }
                    break;
            }
        }
    }

    /// Seconds from the end of the trigger until ten in a row in which 99 % of the calls begun succeed; infinity, if
    /// there are none up to `patience` seconds after it.
    [[nodiscard]] double recovery(int patience)
    {
        int well = 0;
        for (int second = trigger_ends; second < trigger_ends + patience; ++second) {
            run_until(second + 4);  // what begins in this second has ended: four attempts of half a second, and pauses
            auto const& s = seconds_[static_cast<std::size_t>(second)];
            well = s.succeeded >= 0.99 * s.begun ? well + 1 : 0;
            if (well == 10) return second - trigger_ends - 9;
        }
        return std::numeric_limits<double>::infinity();
    }

    /// Attempts over calls, in the two seconds where that was most.
    [[nodiscard]] double peak_amplification() const
    {
        double most = 0;
        for (std::size_t k = 1; k < seconds_.size(); ++k) {
            auto const begun = seconds_[k - 1].begun + seconds_[k].begun;
            if (begun > 0) most = std::max(most, (seconds_[k - 1].sent + seconds_[k].sent) / begun);
        }
        return most;
    }

private:
    static constexpr time_point start{std::chrono::hours{1}};
    static constexpr unsigned workers = 10;
    static constexpr duration service = std::chrono::milliseconds{10};

    struct call {
        std::optional<machine_type> m;
        std::size_t number = 0;   // of the call: its place is used again
        std::size_t attempt = 0;  // in flight; 0: none
        std::size_t began_in = 0;
        time_point wakes = never;
    };
    struct request {
        std::size_t call, attempt;
    };
    struct event {
        enum kind { arrival, served, wake };
        time_point at;
        std::uint64_t order;
        kind what;
        std::size_t call, which;
        bool operator<(event const& o) const { return at != o.at ? at > o.at : order > o.order; }
    };
    struct tallies {
        double begun = 0, succeeded = 0, sent = 0;
    };

    void push(duration in, typename event::kind what, std::size_t which_call, std::size_t which)
    {
        events_.push({now_ + in, order_++, what, which_call, which});
    }

    [[nodiscard]] std::size_t at_second()
    {
        auto const s = static_cast<std::size_t>((now_ - start) / std::chrono::seconds(1));
        if (seconds_.size() <= s) seconds_.resize(s + 1);
        return s;
    }

    void arrive()
    {
        push(scaled(service, exponential(random_) / (workers * options_.load)), event::arrival, 0, 0);
        auto const place = free_.empty() ? calls_.size() : free_.back();
        if (free_.empty())
            calls_.emplace_back();
        else
            free_.pop_back();
        auto& c = calls_[place];
        c.number = ++begun_;
        c.began_in = at_second();
        ++seconds_[c.began_in].begun;
        c.m.emplace(clients_[begun_ % clients_.size()]->pipeline);
        c.m->start(now_);
        drive(place);
    }

    void drive(std::size_t place)
    {
        auto& c = calls_[place];
        using verb = typename machine_type::verb;
        for (;;) {
            auto const step = c.m->next(now_, retry_random_);
            switch (step.what) {
                case verb::send:
                    c.attempt = ++sent_;
                    ++seconds_[at_second()].sent;
                    waiting_.push_back({place, c.attempt});
                    pump();
                    break;
                case verb::cancel:  // the server learns nothing of it: the worst case
                    c.attempt = 0;
                    (void)c.m->finished(step.slot, outcome::failure(), now_, retry_random_);
                    break;
                case verb::wait:
                    if (step.until != never && step.until != c.wakes) {
                        c.wakes = step.until;
                        push(step.until - now_, event::wake, place, c.number);
                    }
                    return;
                case verb::done:
                    if (c.m->how_it_ended() == machine_type::verdict::answered && succeeded_)
                        ++seconds_[c.began_in].succeeded;
                    succeeded_ = false;
                    c.m.reset();
                    c.number = 0;
                    c.wakes = never;
                    free_.push_back(place);
                    return;
            }
        }
    }

    void pump()
    {
        bool const trigger =
            now_ >= start + std::chrono::seconds(trigger_begins) && now_ < start + std::chrono::seconds(trigger_ends);
        while (!waiting_.empty() && busy_ < workers) {
            ++busy_;
            auto const r = waiting_.front();
            waiting_.pop_front();
            push(scaled(service, exponential(random_) * (trigger ? 5 : 1)), event::served, r.call, r.attempt);
        }
    }

    void served(std::size_t place, std::size_t attempt)
    {
        --busy_;
        if (auto& c = calls_[place]; c.attempt == attempt) {
            c.attempt = 0;
            succeeded_ = c.m->finished(0, outcome::success(), now_, retry_random_);
            drive(place);
        }
        pump();
    }

    storm_options options_;
    random_engine random_, retry_random_;
    std::vector<std::unique_ptr<Client>> clients_;
    time_point now_ = start;
    std::uint64_t order_ = 0;
    std::priority_queue<event> events_;
    std::deque<call> calls_;  // places are used again; a machine does not move
    std::vector<std::size_t> free_;
    std::deque<request> waiting_;
    std::vector<tallies> seconds_;
    std::size_t begun_ = 0, sent_ = 0;
    unsigned busy_ = 0;
    bool succeeded_ = false;
};

inline constexpr duration storm_patience = std::chrono::milliseconds{500};

[[nodiscard]] inline auto storm_pipeline() { return pipeline(attempt_timeout(storm_patience)); }
[[nodiscard]] inline auto storm_pipeline(retry r) { return pipeline(std::move(r), attempt_timeout(storm_patience)); }

struct without_retries {
    decltype(storm_pipeline()) pipeline = storm_pipeline();
};
struct with_three_retries {
    decltype(storm_pipeline(retry{})) pipeline = storm_pipeline(retry({.max_attempts = 4}));
};
struct with_three_on_a_budget {
    retry_budget budget;
    decltype(storm_pipeline(retry{})) pipeline = storm_pipeline(retry({.max_attempts = 4}, budget));
};
/// One of many clients, after a long healthy time: all that it may save is there.
template <int Tenths>
struct with_full_budget {
    retry_budget budget{{.initial = Tenths / 10.0, .max = Tenths / 10.0}};
    decltype(storm_pipeline(retry{})) pipeline = storm_pipeline(retry({.max_attempts = 4}, budget));
};

/// How long it takes to recover, over how long it takes when nobody retries.
[[nodiscard]] inline experiment storm_recovery(double load)
{
    auto const beside = [load](auto client, std::uint64_t seed) -> std::vector<double> {
        storm_options const o{.load = load};
        auto const none = retry_storm<without_retries>(o, seed).recovery(1000);
        retry_storm<typename decltype(client)::type> storm(o, seed);
        return {storm.recovery(static_cast<int>(none * 2) + 10) / none};
    };
    auto const percent = std::to_string(static_cast<int>(load * 100 + 0.5));
    return {"3 retries, no budget",
            {{.what = "storm at " + percent + " % load: recovery / without retries", .limit = 1.1, .of_median = true}},
            [=](std::uint64_t seed) { return beside(std::type_identity<with_three_on_a_budget>{}, seed); },
            [=](std::uint64_t seed) { return beside(std::type_identity<with_three_retries>{}, seed); }};
}

/// Clients with a budget of their own, of one or two retries: what they have saved comes at once. `Naive` is another
/// kind of client.
template <class Naive = with_three_retries>
[[nodiscard]] experiment storm_amplification(std::size_t clients, std::string naive_is = "3 retries, no budget")
{
    auto const peak = [](auto&& storm) -> std::vector<double> {
        storm.run_until(storm.trigger_ends + 10);
        return {storm.peak_amplification()};
    };
    // A token each and a tenth of the successes, over the calls of two seconds.
    double const most = clients <= 10 ? 1.1 : clients <= 100 ? 1.15 : 1.65;
    return {std::move(naive_is),
            {{.what = "storm, " + std::to_string(clients) + " clients: attempts / calls, worst 2 s", .limit = most}},
            [=](std::uint64_t seed) { return peak(retry_storm<with_full_budget<15>>({.clients = clients}, seed)); },
            [=](std::uint64_t seed) { return peak(retry_storm<Naive>({.clients = clients}, seed)); }};
}

}  // namespace weir::model
