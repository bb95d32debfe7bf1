// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::detail {

/// What decides for one call whether the rules act that do so for a share of the calls: the same for all its attempts,
/// and for each rule apart from the others.
class call_fate {
public:
    constexpr explicit call_fate(std::uint64_t seed = 0) noexcept : number_(seed) {}

    [[nodiscard]] constexpr call_fate of(std::size_t rule) const noexcept
    {
        return call_fate(random_engine::nth(number_, rule + 1));
    }
    /// Of 0 never, of 1 always.
    [[nodiscard]] constexpr bool within(double share) const noexcept
    {
        return static_cast<double>(number_ >> 11) * 0x1.0p-53 < share;
    }

private:
    std::uint64_t number_;
};

/// The share of the calls for which a rule acts, and how often it would have acted in another.
struct enforced_share {
    explicit enforced_share(double s) noexcept : share(s) {}
    atomic<double> share;
    atomic<std::uint64_t> passed_over{0};
};

/// A rule, and for which share of the calls it acts.
template <class Rule>
struct trial {
    using rule_type = Rule;

    Rule* rule = nullptr;
    enforced_share* enforced = nullptr;  // null: for all

    [[nodiscard]] bool acts(call_fate f) const noexcept
    {
        return enforced == nullptr || f.within(enforced->share.load(std::memory_order_relaxed));
    }
    void pass_over() const noexcept { enforced->passed_over.fetch_add(1, std::memory_order_relaxed); }
};

// A stage of a pipeline may be a rule, a rule on trial (dry_run), or a row of both (any_plan). Below is what the
// machine asks of it. A rule that is on no trial costs no more than its own answer.

template <class Stage>
inline constexpr bool may_be_on_trial = requires(Stage& s) { s.on_trial(); } || requires(Stage& s) { s.trials; };

template <class Stages>
inline constexpr bool may_have_trials = false;
template <template <class...> class List, class... Stages>
inline constexpr bool may_have_trials<List<Stages...>> = (may_be_on_trial<Stages> || ...);

template <class Stage, class F>
void each_trial([[maybe_unused]] Stage& s, [[maybe_unused]] call_fate f, [[maybe_unused]] F&& ask)
{
    if constexpr (requires { s.trials; }) {
        for (std::size_t n = 0; n < s.trials.size(); ++n) ask(s.trials[n], f.of(n));
    } else if constexpr (requires { s.on_trial(); }) {
        ask(s.on_trial(), f);
    }
}

/// A place for a rule, in a pipeline that is assembled at run time.
template <class Rule>
struct optional_rule {
    using rule_on_trial = Rule;
    trial<Rule> held;
    [[nodiscard]] trial<Rule> const& on_trial() const noexcept { return held; }
};

/// Of `retry` and `hedge`: the rule. Null: there is none.
template <class Stage>
[[nodiscard]] constexpr auto* rule_in(Stage& s) noexcept
{
    if constexpr (requires { s.on_trial(); })
        return s.on_trial().rule;
    else
        return &s;
}
/// Whether it acts in this call. If not, it would have, and that is counted.
template <class Stage>
[[nodiscard]] bool acts_in(Stage& s, call_fate f) noexcept
{
    if constexpr (requires { s.on_trial(); }) {
        auto const& t = s.on_trial();
        if (t.acts(f)) return true;
        t.pass_over();
        return false;
    }
    return true;
}

/// Of `deadline` and `attempt_timeout`: what they leave this call.
template <class Stage>
[[nodiscard]] duration span_of(Stage& s, call_fate f) noexcept
{
    auto span = duration::max();
    if constexpr (requires { s.span(); }) span = s.span();
    each_trial(s, f, [&](auto const& t, call_fate own) {
        if (t.acts(own)) span = std::min(span, t.rule->span());
    });
    return span;
}

/// Whether one that does not act in this call would have ended what took so long.
template <class Stage>
[[nodiscard]] bool passed_over(Stage& s, duration took, call_fate f) noexcept
{
    bool any = false;
    each_trial(s, f, [&](auto const& t, call_fate own) {
        if (took < t.rule->span() || t.acts(own)) return;
        t.pass_over();
        any = true;
    });
    return any;
}

/// Of `enough_time`. False: `who` says there is not.
template <class Stage>
[[nodiscard]] bool enough_for(Stage& s, time_point start, time_point deadline, time_point now, call_fate f,
                              std::string_view& who) noexcept
{
    bool enough = true;
    auto const ask = [&](auto& rule) {
        if (!enough || rule.enough(start, deadline, now)) return;
        who = rule.name();
        enough = false;
    };
    if constexpr (may_be_on_trial<Stage>)
        each_trial(s, f, [&](auto const& t, call_fate own) {
            if (t.acts(own)) ask(*t.rule);
        });
    else
        ask(s);
    return enough;
}

/// Whether one that does not act in this call would have said there is not.
template <class Stage>
[[nodiscard]] bool passed_over(Stage& s, time_point start, time_point deadline, call_fate f) noexcept
{
    bool any = false;
    each_trial(s, f, [&](auto const& t, call_fate own) {
        if (t.acts(own) || t.rule->enough(start, deadline, start)) return;
        t.pass_over();
        any = true;
    });
    return any;
}

template <class Stage>
void record_in(Stage& s, duration latency, time_point now) noexcept
{
    if constexpr (requires { s.record(latency, now); })
        s.record(latency, now);
    else
        each_trial(s, call_fate(), [&](auto const& t, call_fate) { t.rule->record(latency, now); });
}

}  // namespace weir::detail
