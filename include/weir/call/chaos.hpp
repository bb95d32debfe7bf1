// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/attempt.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/random.hpp>
#include <weir/core/result.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <mutex>
#include <system_error>
#include <type_traits>
#include <utility>

namespace weir {

/// Rates are shares of the attempts, from 0 to 1, drawn apart from each other.
struct chaos_options {
    bool enabled = false;     ///< off: nothing is drawn, and everything passes
    double fault_rate = 0.0;  ///< the operation ends with `fault` instead of running
    std::error_code fault = std::make_error_code(std::errc::connection_reset);
    double latency_rate = 0.0;  ///< it begins `latency` later
    duration latency = std::chrono::seconds(1);
    double outcome_rate = 0.0;    ///< it ends with a value of the test's instead of running
    double behaviour_rate = 0.0;  ///< a function of the test's is called before it
};

/// What is done to one attempt. If both `fault` and `outcome` were drawn, the fault it is.
struct chaos_verdict {
    duration latency{};
    std::error_code fault{};
    bool outcome = false;
    bool behaviour = false;
};

/// The token of a chaos gate: says when to start, and whether the attempt is to fail instead.
class chaos_permit {
public:
    chaos_permit(time_point start, std::error_code fault) noexcept : start_(start), fault_(fault) {}
    chaos_permit(chaos_permit&&) noexcept = default;
    chaos_permit& operator=(chaos_permit&&) noexcept = default;

    [[nodiscard]] time_point start_at() const noexcept { return start_; }
    [[nodiscard]] std::error_code fault() const noexcept { return fault_; }
    void record(outcome const&, time_point) noexcept {}

private:
    time_point start_;
    std::error_code fault_;
};

/// Trouble on purpose: does the pipeline hold when a share of the attempts is late, fails or lies? In the same places
/// every time, for the same seed. Innermost, where the real trouble comes from:
///
///   weir::chaos chaos(42, {.enabled = true, .fault_rate = 0.1, .latency_rate = 0.2, .latency = 500ms});
///   auto guarded = weir::pipeline(weir::retry(), breaker, chaos);   // as a gate, in any call: all but outcomes
///   around.call(chaos.around(op));                                  // around a blocking operation: all four
///
/// As a gate it delays the send (`start_at`), before the attempt's time limit begins to run, calls the behaviour that
/// it was made with, and an attempt at fault is not made: for the retry rule, the breaker and the others it has failed
/// like any other. Left of retry one verdict stands for the whole call. An outcome only `around` can inject: it is a
/// value of the operation's type, which a gate does not know. Around an operation, the delay is the operation's own.
/// Use one or the other. An operation of another shape asks `draw` what to do.
///
/// The n-th attempt drawn gets the n-th verdict of the seed, whatever the rates are and however often they change.
///
/// Throws:  constructor and reconfigure only, std::invalid_argument for the options. What a behaviour throws, ends the
///          call, as what an operation throws; `admit` passes it on.
/// Threads: any. With several, the verdicts are the same ones; who gets which depends on who comes first.
/// Cost:    off, one relaxed load. On, a short lock. User code runs without it.
/// Seen in: examples/29_chaos.cpp
class chaos {
public:
    using options = chaos_options;
    using token = chaos_permit;

    /// `behaviour`: for chaos as a gate; by several threads at once.
    explicit chaos(std::uint64_t seed, options const& o = {}, std::function<void()> behaviour = {})
        : enabled_(checked(o).enabled), seed_(seed), behaviour_(std::move(behaviour)), options_(o)
    {
        random_.seed(seed);
    }

    /// The next attempt's fate.
    [[nodiscard]] chaos_verdict draw() noexcept;

    /// Faults, latency, and the behaviour, which is called here and under no lock.
    admission<token> admit(time_point now)
    {
        auto const v = draw();
        if (v.behaviour && behaviour_) behaviour_();
        return token(later(now, v.latency), v.fault);
    }

    /// `op`, troubled. `instead()` gives the value for an outcome of the test's, `before()` is the behaviour; without
    /// them these are not injected. Returns a function of the attempt that returns a result.
    template <class Op, clock Clock = tsc_clock>
    [[nodiscard]] auto around(Op op, Clock clock = {});
    template <class Op, class Instead, class Before, clock Clock = tsc_clock>
        requires std::invocable<Instead&> && std::invocable<Before&>
    [[nodiscard]] auto around(Op op, Instead instead, Before before, Clock clock = {});

    /// The same for an asynchronous operation: async_around(op [, instead, before]). In weir/async/async_chaos.hpp,
    /// where a delay waits on a timer.
    template <class Op, class... Functions>
    [[nodiscard]] auto async_around(Op op, Functions... instead_and_before);

    void enable(bool on) noexcept { enabled_.store(on, std::memory_order_relaxed); }
    [[nodiscard]] bool enabled() const noexcept { return enabled_.load(std::memory_order_relaxed); }

    /// From the next attempt on. The sequence goes on where it is.
    void reconfigure(options const& o)
    {
        checked(o);
        {
            std::scoped_lock const lock(mutex_);
            options_ = o;
        }
        enable(o.enabled);
    }

    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }

    /// Attempts drawn so far.
    [[nodiscard]] std::uint64_t drawn() const
    {
        std::scoped_lock const lock(mutex_);
        return drawn_;
    }

private:
    static options const& checked(options const& o)
    {
        auto const rate = [](char const* field, double r) {
            if (!(r >= 0.0 && r <= 1.0)) detail::bad_option(field, "from 0 to 1", r);
        };
        rate("chaos_options.fault_rate", o.fault_rate);
        rate("chaos_options.latency_rate", o.latency_rate);
        rate("chaos_options.outcome_rate", o.outcome_rate);
        rate("chaos_options.behaviour_rate", o.behaviour_rate);
        if (o.latency < duration::zero()) detail::bad_option("chaos_options.latency", "0 ms or above", o.latency);
        if (!o.fault) detail::bad_option("chaos_options.fault", "an error", o.fault.value());
        return o;
    }

    atomic<bool> enabled_;
    std::uint64_t const seed_;
    std::function<void()> const behaviour_;
    mutable mutex mutex_;
    options options_;
    random_engine random_;
    std::uint64_t drawn_ = 0;
};

inline chaos_verdict chaos::draw() noexcept
{
    chaos_verdict v;
    if (!enabled()) return v;
    std::scoped_lock const lock(mutex_);
    ++drawn_;
    // All four every time, so that changing one rate does not move the others' places.
    auto const fault = uniform_unit(random_), latency = uniform_unit(random_);
    auto const outcome = uniform_unit(random_), behaviour = uniform_unit(random_);
    if (fault < options_.fault_rate) v.fault = options_.fault;
    if (latency < options_.latency_rate) v.latency = options_.latency;
    v.outcome = outcome < options_.outcome_rate;
    v.behaviour = behaviour < options_.behaviour_rate;
    return v;
}

namespace detail {

/// What an operation of a blocking call returns, as a result.
template <class R>
struct chaos_result {
    using type = result<R>;
};
template <class T>
struct chaos_result<result<T>> {
    using type = result<T>;
};

struct no_chaos {
    void operator()() const noexcept {}
};

}  // namespace detail

template <class Op, clock Clock>
auto chaos::around(Op op, Clock clock)
{
    return around(std::move(op), detail::no_chaos{}, detail::no_chaos{}, std::move(clock));
}

template <class Op, class Instead, class Before, clock Clock>
    requires std::invocable<Instead&> && std::invocable<Before&>
auto chaos::around(Op op, Instead instead, Before before, Clock clock)
{
    static_assert(std::invocable<Op&, attempt const&>, "weir::chaos::around: op takes a weir::attempt const&");
    using returned = std::remove_cvref_t<std::invoke_result_t<Op&, attempt const&>>;
    using answer = typename detail::chaos_result<returned>::type;
    return [this, op = std::move(op), instead = std::move(instead), before = std::move(before),
            clock = std::move(clock)](attempt const& a) mutable -> answer {
        if (enabled()) [[unlikely]] {
            auto const v = draw();
            if (v.latency > duration::zero()) clock.sleep_until(later(clock.now(), v.latency));
            if (v.behaviour) before();
            if (v.fault) return error(v.fault);
            if constexpr (!std::same_as<Instead, detail::no_chaos>) {
                if (v.outcome) return instead();
            } else {
                (void)instead;
            }
        }
        if constexpr (std::is_void_v<returned>) {
            op(a);
            return {};
        } else {
            return op(a);
        }
    };
}

}  // namespace weir
