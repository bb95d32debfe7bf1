// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/outcome.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <queue>
#include <utility>
#include <vector>

/// A service in virtual time, behind a gate of production: callers arrive at random and do not wait for each other (an
/// open load), those admitted stand in one line for a few workers. Deterministic: all is drawn from one seed, with
/// distributions of our own, because the standard's differ between libraries.
namespace weir::model {

enum class shape { constant, exponential, lognormal, bimodal };
inline constexpr shape shapes[] = {shape::constant, shape::exponential, shape::lognormal, shape::bimodal};

[[nodiscard]] inline char const* name(shape s)
{
    static constexpr char const* names[] = {"constant", "exponential", "lognormal", "bimodal"};
    return names[static_cast<int>(s)];
}

[[nodiscard]] inline double exponential(random_engine& g) { return -std::log(1 - uniform_unit(g)); }

/// A service time in units of its mean. Bimodal: one call in a hundred takes a hundred times as long.
[[nodiscard]] inline double draw(shape s, random_engine& g)
{
    switch (s) {
        case shape::constant: return 1;
        case shape::exponential: return exponential(g);
        case shape::lognormal: {
            auto const normal =
                std::sqrt(-2 * std::log(1 - uniform_unit(g))) * std::cos(6.283185307179586 * uniform_unit(g));
            return std::exp(normal - 0.5);
        }
        case shape::bimodal: return (uniform_unit(g) < 0.01 ? 100.0 : 1.0) / 1.99;
    }
    return 1;
}

[[nodiscard]] inline duration scaled(duration mean, double by)
{
    return duration{std::llround(static_cast<double>(mean.count()) * by)};
}

struct server_options {
    unsigned workers = 10;
    duration service = std::chrono::milliseconds{100};  ///< mean
    shape times = shape::exponential;
    double load = 1.5;                            ///< offered, over the capacity of `workers`
    duration patience = std::chrono::seconds{2};  ///< an answer to a caller who waited longer is worth nothing
};

/// What happened in a span of virtual time.
struct tally {
    std::uint64_t offered = 0, admitted = 0, ended = 0;
    double busy = 0;    ///< worker seconds spent
    double useful = 0;  ///< of these, on calls that had waited no longer than the patience
};

template <class Gate>
class server {
public:
    server(Gate& gate, server_options const& o, std::uint64_t seed) : gate_(gate), options_(o), random_(seed)
    {
        next_arrival_ = start + interval();
    }
    ~server() { waiting_.clear(); }

    /// Runs `span` and tells what happened in it.
    tally run(duration span)
    {
        counted_ = {};
        auto const until = now_ + span;
        for (;;) {
            bool const end_first = !serving_.empty() && serving_.top().ends <= next_arrival_;
            auto const next = end_first ? serving_.top().ends : next_arrival_;
            if (next > until) break;
            now_ = next;
            if (end_first)
                end();
            else
                arrive();
        }
        now_ = until;
        return counted_;
    }

    void set_load(double load) { options_.load = load; }
    void set_workers(unsigned n) { options_.workers = n, pump(); }
    void set_service(duration mean) { options_.service = mean; }

    [[nodiscard]] time_point now() const { return now_; }

    /// Useful work over what the workers, or the offered load where that is less, could have done.
    [[nodiscard]] double goodput(tally const& t, duration span) const
    {
        auto const capacity = std::chrono::duration<double>(span).count() * options_.workers;
        return t.useful / (capacity * std::min(1.0, options_.load));
    }

    static constexpr time_point start{std::chrono::hours{1}};

private:
    using token = typename decltype(std::declval<Gate&>().admit(time_point{}))::token_type;

    struct call {
        token proof;
        time_point came;
        duration takes;
    };
    struct in_service {
        time_point ends;
        std::uint64_t order;
        std::size_t place;
        bool operator<(in_service const& o) const { return ends != o.ends ? ends > o.ends : order > o.order; }
    };

    duration interval()
    {
        auto const mean = static_cast<double>(options_.service.count()) / (options_.workers * options_.load);
        return duration{std::llround(exponential(random_) * mean)};
    }

    void arrive()
    {
        ++counted_.offered;
        auto const takes = scaled(options_.service, draw(options_.times, random_));
        next_arrival_ = now_ + interval();
        auto answer = gate_.admit(now_);
        if (!answer) return;
        ++counted_.admitted;
        waiting_.push_back({*std::move(answer), now_, takes});
        pump();
    }

    void pump()
    {
        while (!waiting_.empty() && serving_.size() < options_.workers) {
            auto const place = free_.empty() ? calls_.size() : free_.back();
            if (free_.empty())
                calls_.push_back(std::move(waiting_.front()));
            else
                free_.pop_back(), calls_[place] = std::move(waiting_.front());
            waiting_.pop_front();
            auto& c = calls_[place];
            auto const spent = std::chrono::duration<double>(c.takes).count();
            counted_.busy += spent;
            if (now_ - c.came <= options_.patience) counted_.useful += spent;
            serving_.push({now_ + c.takes, order_++, place});
        }
    }

    void end()
    {
        auto const place = serving_.top().place;
        serving_.pop();
        ++counted_.ended;
        auto& c = calls_[place];
        auto const latency = now_ - c.came;
        c.proof.record(latency - c.takes > options_.patience ? outcome::failure(latency) : outcome::success(latency),
                       now_);
        free_.push_back(place);
        pump();
    }

    Gate& gate_;
    server_options options_;
    random_engine random_;
    time_point now_ = start;
    time_point next_arrival_;
    std::deque<call> waiting_;
    std::vector<call> calls_;
    std::vector<std::size_t> free_;
    std::priority_queue<in_service> serving_;
    std::uint64_t order_ = 0;
    tally counted_;
};

}  // namespace weir::model
