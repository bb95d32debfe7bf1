// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/held_tokens.hpp>
#include <weir/call/detail/retry_plan.hpp>
#include <weir/call/detail/stages.hpp>
#include <weir/call/detail/trial.hpp>
#include <weir/core/attempt.hpp>
#include <weir/core/random.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace weir {

/// One call through a pipeline, decided and not driven: it does no I/O, reads no clock, waits for nobody. A driver asks
/// `next` what to do and does it, until that is `wait` or `done`, and tells what happened:
///
///   machine.start(now);
///   for (;;) switch (auto const step = machine.next(now, random); step.what) {
///       case verb::send:    // begin the operation with attempt_in(step.slot); when it ends: finished(step.slot, ...);
///                           // at once if there is a fault_in(step.slot)
///       case verb::cancel:  // cancel the operation in step.slot; it still ends, and then: finished(step.slot, ...)
///       case verb::wait:    // come back at step.until, or when something has happened before
///       case verb::done:    // deliver what how_it_ended() says
///   }
///
/// Blocking `call` and `async_call` are such loops; tests step it by hand. Up to `InFlight` attempts may be in flight,
/// each in a slot; the first success wins and the others are cancelled. `done` comes only when every slot has ended, so
/// nothing of the call is left behind. A pipeline's `hedge` needs more than one slot; with one it is passed over.
///
/// A try is an attempt with its hedges. It has failed when all of them have, the first attempt's outcome is its
/// outcome, and only then the retry rule is asked.
///
/// Threads: one at a time.   Throws: what a gate's `admit` throws; tokens taken before are given back.
/// Cost:    no allocation; the gates' own.   Seen in: examples/39_step_the_machine.cpp
template <class Pipeline, std::size_t InFlight = 1>
class machine {
public:
    enum class verb : std::uint8_t { send, cancel, wait, done };

    struct step {
        verb what;
        std::size_t slot = 0;
        time_point until = never;
    };

    /// Whose word the caller gets.
    enum class verdict : std::uint8_t {
        none,       ///< not decided
        answered,   ///< the result of the last attempt for which `finished` returned true
        timed_out,  ///< no result; `code()` says which limit it was
        refused,    ///< no result; `refusal()` says by whom
        cancelled,  ///< by the caller
    };

    explicit machine(Pipeline& around) noexcept : pipeline_(around) {}
    machine(machine const&) = delete;
    machine& operator=(machine const&) = delete;
    ~machine() { abandon(); }

    /// Asks the gates left of retry. Once, first. `said`, what this call says of itself, outlives the machine. `random`
    /// is drawn from where a rule is on trial (dry_run).
    void start(time_point now, call_options const* said = nullptr, random_engine& random = thread_random());

    [[nodiscard]] step next(time_point now, random_engine& random);

    /// The attempt in `slot` ended at `now` as `o` says (its latency is filled in here). True: keep its result, for it
    /// is the answer unless a later one replaces it. False: drop it.
    [[nodiscard]] bool finished(std::size_t slot, outcome o, time_point now, random_engine& random);

    /// The caller gives up: no attempt starts any more, those in flight are cancelled.
    void cancel() noexcept;

    /// Sends one more attempt at `at`, beside what is in flight, at nobody's expense: for drivers with a rule of their
    /// own.
    void launch_another(time_point at) noexcept { launch_at_ = std::min(launch_at_, at); }

    [[nodiscard]] attempt const& attempt_in(std::size_t index) const noexcept { return slots_[index].what; }
    /// The error, if any, with which this attempt has ended before it was begun: a gate's word (`may_fault`).
    [[nodiscard]] std::error_code fault_in(std::size_t index) noexcept
    {
        auto const f = slots_[index].held.fault();
        return f ? f : per_call_.fault();
    }
    [[nodiscard]] static constexpr bool may_fault() noexcept
    {
        return call_tokens::may_fault() || attempt_tokens::may_fault();
    }
    [[nodiscard]] verdict how_it_ended() const noexcept { return verdict_; }
    [[nodiscard]] errc code() const noexcept { return code_; }
    [[nodiscard]] rejection const& refusal() const noexcept { return refusal_; }
    [[nodiscard]] unsigned attempts() const noexcept { return sent_; }

    /// Settles whatever is held, as for work whose ending nobody will learn. The destructor does it.
    void abandon() noexcept;

private:
    static constexpr auto roles_ = detail::roles_of<typename Pipeline::stages>;
    static constexpr std::size_t retry_ = detail::find(roles_, detail::role::retry);
    static constexpr std::size_t hedge_ = detail::find(roles_, detail::role::hedge);
    static constexpr bool has_retry_ = retry_ != detail::nowhere;
    static constexpr bool has_hedge_ = hedge_ != detail::nowhere;
    static constexpr bool hedges_ = has_hedge_ && InFlight > 1;
    // Without a retry or hedge rule there is one attempt, and every gate belongs to it.
    static constexpr std::size_t first_per_attempt_ = has_retry_ ? retry_ : has_hedge_ ? hedge_ : 0;

    static constexpr bool trials_ = detail::may_have_trials<typename Pipeline::stages>;

    using call_tokens = detail::held_tokens<Pipeline, 0, first_per_attempt_>;
    using attempt_tokens = detail::held_tokens<Pipeline, first_per_attempt_, Pipeline::size>;

    enum class phase : std::uint8_t {
        idle,
        held,  // admitted, and to be sent at hold_until
        sent,
        stopping,  // sent, and cancelled by us
    };
    enum class reason : std::uint8_t { none, timeout, deadline, superseded };

    struct slot {
        phase state = phase::idle;
        reason why = reason::none;
        bool extra = false;  // a hedge
        bool owes = false;   // a hedge that was paid for and not sent
        attempt what;
        time_point sent_at{};
        time_point hold_until{};
        attempt_tokens held;

        slot() {}  // so that its room is not cleared first
    };

    /// An attempt that was told to stop, and did not care, is told again when its time is up.
    [[nodiscard]] static bool may_time_out(slot const& s) noexcept
    {
        return s.state == phase::sent || (s.state == phase::stopping && s.why == reason::superseded);
    }

    /// The first slot of which `is` says so, or null. Not std::find_if, whose unrolled search is dear where there is
    /// one slot.
    template <class Predicate>
    [[nodiscard]] slot* find_slot(Predicate is) noexcept
    {
        for (auto& s : slots_)
            if (is(s)) return &s;
        return nullptr;
    }
    [[nodiscard]] slot* find_slot(phase p) noexcept
    {
        return find_slot([p](slot const& s) { return s.state == p; });
    }
    [[nodiscard]] bool in_flight() noexcept
    {
        return InFlight > 1 && find_slot([](slot const& s) { return s.state != phase::idle; }) != nullptr;
    }

    [[nodiscard]] detail::asking_call who_asks() const noexcept { return {said_, call_deadline_}; }
    [[nodiscard]] time_point attempt_limit(time_point now) noexcept;
    [[nodiscard]] bool in_time(time_point start, time_point now, rejection& refusal) const noexcept;
    [[nodiscard]] bool time_for_an_attempt(time_point start, time_point now, rejection& refusal) noexcept;
    void begin(slot& s, time_point now, random_engine& random);
    void send(slot& s, time_point now);
    void on_refused(time_point now, random_engine& random);
    void try_again(outcome const& o, bool was_sent, time_point now, random_engine& random);
    void drop_retry() noexcept;
    void stop(time_point now) noexcept;
    void give_back(slot& s, time_point now) noexcept;
    void credit(time_point now) noexcept;
    void plan_hedge(time_point now) noexcept;
    void begin_hedge(time_point now, random_engine& random);
    void learn(bool extra, reason why, outcome const& o, time_point now) noexcept;
    void finish(time_point now) noexcept;

    /// Tells of the time limits of a kind that are on trial, not for this call, and would have ended this.
    void pass_over([[maybe_unused]] detail::role kind, [[maybe_unused]] errc as,
                   [[maybe_unused]] duration took) noexcept
    {
        if constexpr (trials_)
            detail::each_stage<Pipeline>([&](auto i) {
                if constexpr (roles_[i] == detail::role::deadline || roles_[i] == detail::role::attempt_timeout)
                    if (roles_[i] == kind && detail::passed_over(pipeline_.template stage<i>(), took, fate_of(i)))
                        observers([&](auto& o) { o.not_enforced(as); });
            });
    }

    [[nodiscard]] detail::call_fate fate_of(std::size_t stage) const noexcept
    {
        if constexpr (trials_)
            return fate_.of(stage);
        else
            return detail::call_fate();
    }

    /// Null: there is none.
    [[nodiscard]] retry const* rule() noexcept
    {
        if constexpr (has_retry_)
            return detail::rule_in(pipeline_.template stage<retry_>());
        else
            return nullptr;
    }
    [[nodiscard]] hedge* hedging() noexcept
    {
        if constexpr (has_hedge_)
            return detail::rule_in(pipeline_.template stage<hedge_>());
        else
            return nullptr;
    }

    template <class F>
    void observers(F&& f) noexcept
    {
        detail::each_stage<Pipeline>([&](auto i) {
            if constexpr (roles_[i] == detail::role::observe) f(pipeline_.template stage<i>());
        });
    }

    Pipeline& pipeline_;
    call_options const* said_ = nullptr;
    call_tokens per_call_;
    std::array<slot, InFlight> slots_;
    struct no_fate {};
    [[no_unique_address]] std::conditional_t<trials_, detail::call_fate, no_fate> fate_;
    time_point started_{};
    time_point call_deadline_ = never;
    time_point launch_at_ = never;  // when the next attempt is due
    time_point hedge_at_ = never;   // when the next hedge is
    duration previous_delay_{};
    endpoint const* avoid_ = nullptr;  // where the last attempt went; its lease, in its slot, keeps it alive
    outcome last_ = outcome::ignored();
    rejection refusal_;
    unsigned tries_ = 0;  // attempts begun, refused ones included
    unsigned sent_ = 0;
    unsigned extras_ = 0;  // hedges sent
    bool hedge_won_ = false;
    std::optional<duration> wish_;  // what peers asked of failed hedges of this try
    verdict verdict_ = verdict::none;
    errc code_{};
    bool paid_ = false;      // the budget was charged for an attempt not yet sent
    bool stopping_ = false;  // a success, or the caller's cancel: nothing new starts
    bool cancelled_ = false;
    bool running_ = false;
};

// Bodies; what follows the first attempt is in call/detail/machine_more.hpp.

template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::start(time_point now, call_options const* said,
                                        [[maybe_unused]] random_engine& random)
{
    assert(!running_ && tries_ == 0);
    running_ = true;
    started_ = now;
    said_ = said;
    if (said) call_deadline_ = said->deadline;
    if constexpr (requires { pipeline_.has_trials(); }) {
        if (pipeline_.has_trials()) fate_ = detail::call_fate(random());
    } else if constexpr (trials_) {
        fate_ = detail::call_fate(random());
    }
    detail::each_stage<Pipeline>([&](auto i) {
        if constexpr (roles_[i] == detail::role::deadline)
            call_deadline_ =
                std::min(call_deadline_, later(now, detail::span_of(pipeline_.template stage<i>(), fate_of(i))));
    });
    auto start_at = now;
    if (in_time(now, now, refusal_) &&
        per_call_.admit(pipeline_, who_asks(), now, nullptr, detail::avoid_last{}, start_at, refusal_) &&
        in_time(start_at, now, refusal_)) {
        launch_at_ = start_at;
    } else {
        per_call_.settle(nullptr, now);
        verdict_ = verdict::refused;
        observers([&](auto& o) { o.refused(refusal_); });
    }
}

template <class Pipeline, std::size_t InFlight>
auto machine<Pipeline, InFlight>::next(time_point now, random_engine& random) -> step
{
    for (auto& s : slots_) {
        if (s.state == phase::sent && stopping_)
            s.why = reason::superseded;
        else if (may_time_out(s) && now >= s.what.deadline())
            s.why = now >= call_deadline_ ? reason::deadline : reason::timeout;
        else
            continue;
        s.state = phase::stopping;
        return {verb::cancel, static_cast<std::size_t>(&s - slots_.data())};
    }

    for (;;) {
        if (launch_at_ <= now) {
            auto* const free = find_slot(phase::idle);
            if (free == nullptr) break;
            launch_at_ = never;
            begin(*free, now, random);  // may set launch_at_ again
            continue;
        }
        if constexpr (hedges_) {
            if (hedge_at_ <= now) {
                begin_hedge(now, random);
                continue;
            }
        }
        auto* const ripe = find_slot([now](slot const& s) { return s.state == phase::held && s.hold_until <= now; });
        if (ripe == nullptr) break;
        send(*ripe, now);
        return {verb::send, static_cast<std::size_t>(ripe - slots_.data())};
    }

    auto until = std::min(launch_at_, hedge_at_);
    bool idle = launch_at_ == never;
    for (auto& s : slots_) {
        idle = idle && s.state == phase::idle;
        if (may_time_out(s)) until = std::min(until, s.what.deadline());
        if (s.state == phase::held) until = std::min(until, s.hold_until);
    }
    if (!idle) return {verb::wait, 0, until};
    finish(now);
    return {verb::done};
}

template <class Pipeline, std::size_t InFlight>
bool machine<Pipeline, InFlight>::finished(std::size_t index, outcome o, time_point now, random_engine& random)
{
    auto& s = slots_[index];
    assert(s.state == phase::sent || s.state == phase::stopping);
    auto const why = std::exchange(s.why, reason::none);
    bool const extra = hedges_ && std::exchange(s.extra, false);
    o.latency = between(s.sent_at, now);
    // A result that came before the cancel took effect wins. Otherwise a timeout is the peer's failure, whatever the
    // operation called it, and an attempt that we or the caller gave up says nothing of the peer.
    if (!o.ok() && (why == reason::timeout || why == reason::deadline)) o = outcome::failure(o.latency);
    if (!o.ok() && (why == reason::superseded || cancelled_)) o = outcome::ignored(o.latency);
    s.held.settle(&o, now);
    s.state = phase::idle;
    pass_over(detail::role::attempt_timeout, errc::attempt_timed_out, o.latency);
    observers([&](auto& obs) { obs.attempt_ended(s.what, o); });
    learn(extra, why, o, now);

    if (verdict_ == verdict::answered && last_.ok()) return false;  // another slot had won
    if (!o.ok() && stopping_) return false;
    if (o.ok()) {
        last_ = o;
        verdict_ = verdict::answered;
        hedge_won_ = extra;
        credit(now);
        stop(now);
        return true;
    }
    if (o.retry_after) hedge_at_ = never;  // the peer wants fewer requests
    if (extra) {
        wish_ = detail::longer_wish(wish_, o.retry_after);  // its failure is not the call's word; this still counts
    } else {
        last_ = o;
        verdict_ = verdict::answered;
        if (why != reason::none) {
            verdict_ = verdict::timed_out;
            code_ = why == reason::deadline ? errc::deadline_exceeded : errc::attempt_timed_out;
        }
    }
    if (!in_flight()) {
        hedge_at_ = never;
        if (last_.failed())
            try_again(last_, true, now, random);
        else
            stop(now);
    }
    return !extra && verdict_ == verdict::answered;
}

template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::cancel() noexcept
{
    bool const over = launch_at_ == never && find_slot([](slot const& s) { return s.state != phase::idle; }) == nullptr;
    if (stopping_ || (over && verdict_ == verdict::refused)) return;
    cancelled_ = true;
    stop({});
    verdict_ = verdict::cancelled;
}

template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::abandon() noexcept
{
    if (!running_) return;
    auto const unknown = outcome::ignored();
    for (auto& s : slots_) {
        auto const was_sent = s.state == phase::sent || s.state == phase::stopping;
        if (was_sent)
            s.held.settle(&unknown, started_);
        else
            give_back(s, started_);
        s.state = phase::idle;
    }
    drop_retry();
    per_call_.settle(sent_ > 0 ? &unknown : nullptr, started_);
    running_ = false;
}

template <class Pipeline, std::size_t InFlight>
time_point machine<Pipeline, InFlight>::attempt_limit(time_point now) noexcept
{
    auto limit = call_deadline_;
    detail::each_stage<Pipeline>([&](auto i) {
        if constexpr (roles_[i] == detail::role::attempt_timeout)
            limit = std::min(limit, later(now, detail::span_of(pipeline_.template stage<i>(), fate_of(i))));
    });
    return limit;
}

template <class Pipeline, std::size_t InFlight>
bool machine<Pipeline, InFlight>::in_time(time_point start, time_point now, rejection& refusal) const noexcept
{
    if (start < call_deadline_) return true;
    refusal = {errc::no_time_left, now, "deadline"};
    return false;
}

template <class Pipeline, std::size_t InFlight>
bool machine<Pipeline, InFlight>::time_for_an_attempt(time_point start, [[maybe_unused]] time_point now,
                                                      rejection& refusal) noexcept
{
    if (!in_time(start, now, refusal)) return false;
    bool enough = true;
    detail::each_stage<Pipeline>([&](auto i) {
        if constexpr (roles_[i] == detail::role::enough_time) {
            std::string_view who;
            auto& stage = pipeline_.template stage<i>();
            if (!enough || detail::enough_for(stage, start, call_deadline_, now, fate_of(i), who)) return;
            refusal = {errc::no_time_left, now, who};
            enough = false;
        }
    });
    return enough;
}

template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::begin(slot& s, time_point now, random_engine& random)
{
    ++tries_;
    auto start_at = now;
    [[maybe_unused]] auto const before = s.held.take_lease();  // keeps avoid_ valid while we pick
    if (time_for_an_attempt(now, now, refusal_) &&
        s.held.admit(pipeline_, who_asks(), now, &random, detail::avoid_last{avoid_}, start_at, refusal_) &&
        time_for_an_attempt(start_at, now, refusal_)) {
        s.state = phase::held;
        s.hold_until = start_at;
        return;
    }
    s.held.settle(nullptr, now);
    avoid_ = nullptr;
    on_refused(now, random);
}

template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::send(slot& s, time_point now)
{
    avoid_ = s.held.target();
    if (!hedges_ || !s.extra) paid_ = false;
    s.owes = false;
    s.state = phase::sent;
    s.sent_at = now;
    s.what = attempt(++sent_, attempt_limit(now), avoid_, said_);
    if (hedges_ && s.extra) {
        ++extras_;
        observers([&](auto& o) { o.hedge_started(s.what); });
    }
    plan_hedge(now);
    if constexpr (trials_) {
        detail::each_stage<Pipeline>([&](auto i) {
            if constexpr (roles_[i] == detail::role::enough_time)
                if (detail::passed_over(pipeline_.template stage<i>(), now, call_deadline_, fate_of(i)))
                    observers([&](auto& o) { o.not_enforced(errc::no_time_left); });
        });
    }
    observers([&](auto& o) { o.attempt_started(s.what); });
}

template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::finish(time_point now) noexcept
{
    if (!running_) return;
    auto const elapsed = between(started_, now);
    auto total = cancelled_ && verdict_ == verdict::cancelled ? outcome::ignored() : last_;
    total.latency = elapsed;
    per_call_.settle(sent_ > 0 ? &total : nullptr, now);
    running_ = false;
    pass_over(detail::role::deadline, errc::deadline_exceeded, elapsed);
    observers([&](auto& o) {
        o.call_ended({.attempts = sent_,
                      .last = last_,
                      .refused = verdict_ == verdict::refused,
                      .cancelled = verdict_ == verdict::cancelled,
                      .elapsed = elapsed,
                      .hedges = extras_,
                      .hedge_won = hedge_won_});
    });
}

}  // namespace weir

#include <weir/call/detail/machine_more.hpp>
