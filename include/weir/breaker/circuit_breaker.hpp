// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/circuit_breaker_options.hpp>
#include <weir/breaker/outcome_window.hpp>
#include <weir/breaker/probes.hpp>
#include <weir/breaker/transitions.hpp>
#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace weir {

/// Stops sending to a peer that keeps failing, and finds out with a few probes when it is well again.
///
///   closed ──(rate or run of failures)──► open ──(time over)──► half_open ──(probes fail)──► open, for longer
///      ▲                                                            └──(probes succeed)──► closed
///
/// Every change of state begins a generation, and a permit remembers its own: a result that comes back in a later one
/// counts nowhere. An ignored outcome, or a permit destroyed unsettled, counts nothing and gives its probe's place
/// back.
///
/// Refuses: errc::circuit_open. retry_at: when it will be half open; while the probes are out, when the first lease
///          ends; `never` while forced open.
/// Throws:  construction, reconfigure and on_transition; std::invalid_argument names the field. Nothing else throws.
/// Threads: everything at once from any thread. May be moved only before its first use. It must outlive its permits.
/// Cost:    closed: admission is one load; a success is one compare-exchange (time window), or a few loads (count
///          window full of successes). Failures, slow calls and changes of state take a short mutex. No allocation.
/// Seen in: examples/08_circuit_breaker.cpp
template <clock Clock = tsc_clock>
class basic_circuit_breaker {
public:
    using options = circuit_breaker_options;
    class permit;

    explicit basic_circuit_breaker(options o = {}, Clock c = {});
    basic_circuit_breaker(basic_circuit_breaker&& other);
    basic_circuit_breaker& operator=(basic_circuit_breaker&&) = delete;

    [[nodiscard]] admission<permit> admit(time_point now) noexcept;
    [[nodiscard]] admission<permit> admit() noexcept { return admit(clock_.now()); }

    /// Half-open is reached by asking: once the open time is over this says half_open, and the next admit makes it so.
    [[nodiscard]] circuit_state state(time_point now) const noexcept;
    [[nodiscard]] circuit_state state() const noexcept { return state(clock_.now()); }

    /// What the window holds at `now`. It is kept while open and emptied on closing.
    [[nodiscard]] circuit_tally tally(time_point now) const noexcept;

    /// Of the calls in the window; nothing below the minimum number of calls.
    [[nodiscard]] std::optional<double> failure_rate(time_point now) const noexcept;
    [[nodiscard]] std::optional<double> slow_call_rate(time_point now) const noexcept;

    /// By hand. Each begins a generation, so calls in flight no longer count. reset() closes with an empty window.
    void force_open(time_point now) noexcept { set_state(circuit_state::forced_open, now); }
    void disable(time_point now) noexcept { set_state(circuit_state::disabled, now); }
    void reset(time_point now) noexcept { set_state(circuit_state::closed, now); }
    void force_open() noexcept { force_open(clock_.now()); }
    void disable() noexcept { disable(clock_.now()); }
    void reset() noexcept { reset(clock_.now()); }

    /// Adds a listener. It hears every transition after it happened, in order, one at a time, on the thread of some
    /// call, with no lock held: it may use the breaker. What it throws is dropped.
    void on_transition(std::function<void(circuit_transition const&)> listener)
    {
        transitions_.listen(std::move(listener));
    }

    /// New limits. Window contents, state, generation, open deadline and probes in flight stay, and so does the name.
    /// A window of another kind or size starts from what the old one held. Switching dry_run on closes an open circuit.
    void reconfigure(options o, time_point now);
    void reconfigure(options o) { reconfigure(std::move(o), clock_.now()); }

    [[nodiscard]] std::string_view name() const noexcept { return name_; }

private:
    // State and generation in one word, so that one load answers and one comparison tells whether a permit still
    // counts.
    using stamp = std::uint64_t;
    static constexpr stamp make_stamp(std::uint64_t generation, circuit_state s) noexcept
    {
        return (generation << 3) | static_cast<stamp>(s);
    }
    static constexpr circuit_state state_of(stamp s) noexcept { return static_cast<circuit_state>(s & 7u); }
    static constexpr std::uint64_t generation_of(stamp s) noexcept { return s >> 3; }

    [[nodiscard]] admission<permit> admit_slowly(time_point now) noexcept;
    [[nodiscard]] rejection refuse(time_point retry_at) const noexcept { return {errc::circuit_open, retry_at, name_}; }
    void settle(stamp s, std::uint64_t probe, outcome const& o, time_point now) noexcept;
    void give_back(std::uint64_t probe) noexcept;
    void set_state(circuit_state to, time_point now) noexcept;

    // Under the lock. Those that answer true have news for listeners.
    [[nodiscard]] admission<permit> admit_probe(time_point now) noexcept;
    [[nodiscard]] bool judge_window(time_point now) noexcept;
    [[nodiscard]] bool judge_probes(time_point now) noexcept;
    void go(circuit_state to, time_point now) noexcept;

    [[nodiscard]] stamp current() const noexcept { return stamp_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool judges_slowness() const noexcept { return options_.slow_call_duration > duration::zero(); }
    [[nodiscard]] std::uint64_t minimum() const noexcept;
    [[nodiscard]] duration grown(duration interval) const noexcept;
    [[nodiscard]] std::optional<double> rate(time_point now, std::uint64_t circuit_tally::*part) const noexcept;
    static duration slow_after(options const& o) noexcept;

    // Written under the lock, read without it.
    alignas(64) atomic<stamp> stamp_{make_stamp(1, circuit_state::closed)};
    atomic<duration> slow_after_;
    atomic<time_point> open_until_{time_point::min()};

    detail::window_with_front window_;

    mutable mutex mutex_;
    options options_;
    detail::probes probes_;
    unsigned run_ = 0;            // failures since the last success, while consecutive_failures is on
    duration interval_{};         // the present or last open time
    bool would_be_open_ = false;  // dry run: the listeners know, and it is still so
    detail::transition_queue transitions_;
    std::string const name_;
    [[no_unique_address]] Clock clock_;
};

using circuit_breaker = basic_circuit_breaker<>;

/// Leave to make one call. Settle it with how the call ended.
template <clock Clock>
class [[nodiscard]] basic_circuit_breaker<Clock>::permit {
public:
    permit(permit&& o) noexcept : breaker_(std::exchange(o.breaker_, nullptr)), stamp_(o.stamp_), probe_(o.probe_) {}
    permit& operator=(permit&& o) noexcept
    {
        permit const old(std::move(*this));
        breaker_ = std::exchange(o.breaker_, nullptr), stamp_ = o.stamp_, probe_ = o.probe_;
        return *this;
    }
    ~permit()
    {
        if (probe_ != 0 && breaker_ != nullptr) breaker_->give_back(probe_);
    }

    void record(outcome const& o, time_point now) noexcept
    {
        if (auto* const b = std::exchange(breaker_, nullptr)) b->settle(stamp_, probe_, o, now);
    }
    void record(outcome const& o) noexcept
    {
        if (breaker_ != nullptr) record(o, breaker_->clock_.now());
    }

private:
    friend basic_circuit_breaker;
    permit(basic_circuit_breaker* b, stamp s, std::uint64_t probe) noexcept : breaker_(b), stamp_(s), probe_(probe) {}

    basic_circuit_breaker* breaker_;  // null: settled, moved from, or of a disabled breaker
    stamp stamp_;
    std::uint64_t probe_;  // 0: not a probe
};

// Bodies

template <clock Clock>
basic_circuit_breaker<Clock>::basic_circuit_breaker(options o, Clock c)
    : slow_after_((detail::check(o), slow_after(o))),
      window_(o.window, 1),
      options_(std::move(o)),
      probes_(options_.half_open_probes),
      name_(options_.name),
      clock_(std::move(c))
{
}

template <clock Clock>
basic_circuit_breaker<Clock>::basic_circuit_breaker(basic_circuit_breaker&& other)
    : basic_circuit_breaker(std::move(other.options_), other.clock_)
{
    transitions_.set_listeners(other.transitions_.take_listeners());
}

template <clock Clock>
auto basic_circuit_breaker<Clock>::admit(time_point now) noexcept -> admission<permit>
{
    // Acquire pairs with the release in go(): who sees a generation sees its window and its deadline too.
    auto const s = stamp_.load(std::memory_order_acquire);
    if (state_of(s) == circuit_state::closed) [[likely]]
        return permit(this, s, 0);
    return admit_slowly(now);
}

template <clock Clock>
auto basic_circuit_breaker<Clock>::admit_slowly(time_point now) noexcept -> admission<permit>
{
    auto const seen = stamp_.load(std::memory_order_acquire);
    if (state_of(seen) == circuit_state::open) {
        // Refusing takes no lock. If the circuit has moved on since, this is the deadline of a later opening: as true.
        auto const until = open_until_.load(std::memory_order_relaxed);
        if (now < until) return refuse(until);
    }
    if (state_of(seen) == circuit_state::forced_open) return refuse(never);
    if (state_of(seen) == circuit_state::disabled) return permit(nullptr, seen, 0);

    std::unique_lock lock(mutex_);
    auto const before = current();
    auto answer = admit_probe(now);
    auto const news = current() != before;
    lock.unlock();
    if (news) transitions_.deliver();
    return answer;
}

template <clock Clock>
auto basic_circuit_breaker<Clock>::admit_probe(time_point now) noexcept -> admission<permit>
{
    if (state_of(current()) == circuit_state::open && now >= open_until_.load(std::memory_order_relaxed))
        go(circuit_state::half_open, now);
    if (state_of(current()) == circuit_state::half_open) {
        probes_.expire(now);
        (void)judge_probes(now);
    }
    switch (state_of(current())) {  // another thread may have been here first
        case circuit_state::closed: return permit(this, current(), 0);
        case circuit_state::open: return refuse(open_until_.load(std::memory_order_relaxed));
        case circuit_state::half_open: break;
        case circuit_state::forced_open: return refuse(never);
        case circuit_state::disabled: return permit(nullptr, current(), 0);
    }
    auto const lease = options_.probe_timeout > duration::zero() ? options_.probe_timeout : options_.open_for;
    if (auto const probe = probes_.take(later(now, lease))) return permit(this, current(), probe);
    return refuse(probes_.earliest_lease_end());
}

template <clock Clock>
void basic_circuit_breaker<Clock>::settle(stamp s, std::uint64_t probe, outcome const& o, time_point now) noexcept
{
    using counted = detail::window_with_front::counted;
    if (stamp_.load(std::memory_order_acquire) != s) return;  // of an older generation: counts nowhere
    if (o.what == outcome::kind::ignored) {
        if (probe != 0) give_back(probe);
        return;
    }
    bool const slow = o.latency > slow_after_.load(std::memory_order_relaxed);
    auto call = detail::one_call(o.failed(), slow);
    if (probe == 0 && o.ok() && !slow) {
        auto const done = window_.count_success(generation_of(s), now);
        if (done == counted::yes) [[likely]]
            return;
        if (done == counted::then_judge) call = {};
    }

    bool news = false;
    {
        std::scoped_lock const lock(mutex_);
        if (current() != s) return;
        if (probe == 0) {
            window_.update(call, now);
            run_ = o.failed() ? run_ + (run_ < options_.consecutive_failures) : 0;
            news = judge_window(now);
        } else {
            probes_.expire(now);
            probes_.settle(probe, o.failed(), slow);
            news = judge_probes(now);
        }
    }
    if (news) transitions_.deliver();
}

template <clock Clock>
void basic_circuit_breaker<Clock>::give_back(std::uint64_t probe) noexcept
{
    std::scoped_lock const lock(mutex_);
    probes_.give_back(probe);  // a probe of an earlier half-open period is not known any more
}

template <clock Clock>
bool basic_circuit_breaker<Clock>::judge_window(time_point now) noexcept
{
    auto const& o = options_;
    auto const total = window_.total();
    bool const enough = total.calls >= minimum();
    bool const run = o.consecutive_failures != 0 && run_ >= o.consecutive_failures;
    bool const over = run || (enough && detail::reaches(total.failures, total.calls, o.failure_rate)) ||
                      (enough && judges_slowness() && detail::reaches(total.slow, total.calls, o.slow_call_rate));
    if (over && !o.dry_run) {
        interval_ = o.open_for;
        go(circuit_state::open, now);
        return true;
    }
    bool const crossed = over && !would_be_open_;
    would_be_open_ = over;
    if (crossed) transitions_.push({name_, circuit_state::closed, circuit_state::open, now, true});

    // A success can open the circuit only by completing the minimum; and it ends a run of failures.
    bool const bad = total.failures + total.slow != 0;
    window_.watch(over || run_ != 0 || (bad && !enough), generation_of(current()));
    return crossed;
}

template <clock Clock>
bool basic_circuit_breaker<Clock>::judge_probes(time_point now) noexcept
{
    switch (probes_.judge(options_.failure_rate, judges_slowness() ? options_.slow_call_rate : 0.0)) {
        case detail::probes::verdict::undecided: return false;
        case detail::probes::verdict::healthy: go(circuit_state::closed, now); break;
        case detail::probes::verdict::sick:
            interval_ = grown(interval_);
            go(circuit_state::open, now);
            break;
    }
    return true;
}

/// The only place where the state changes.
template <clock Clock>
void basic_circuit_breaker<Clock>::go(circuit_state to, time_point now) noexcept
{
    auto const from = state_of(current());
    auto const generation = generation_of(current()) + 1;
    window_.begin(generation);
    run_ = 0;
    would_be_open_ = false;
    switch (to) {
        case circuit_state::closed: window_.clear(); break;
        case circuit_state::open: open_until_.store(later(now, interval_), std::memory_order_relaxed); break;
        case circuit_state::half_open: probes_.begin(); break;
        case circuit_state::forced_open:
        case circuit_state::disabled: break;
    }
    stamp_.store(make_stamp(generation, to), std::memory_order_release);
    if (from != to) transitions_.push({name_, from, to, now, false});
}

template <clock Clock>
void basic_circuit_breaker<Clock>::set_state(circuit_state to, time_point now) noexcept
{
    {
        std::scoped_lock const lock(mutex_);
        go(to, now);
    }
    transitions_.deliver();
}

template <clock Clock>
void basic_circuit_breaker<Clock>::reconfigure(options o, time_point now)
{
    detail::check(o);
    {
        std::scoped_lock const lock(mutex_);
        probes_.reserve(o.half_open_probes);
        window_.reconfigure(o.window, now);  // the last thing that can throw, and the first that changes anything
        probes_.want(o.half_open_probes);
        window_.watch_all();  // the next call is judged by the new limits
        slow_after_.store(slow_after(o), std::memory_order_relaxed);
        options_ = std::move(o);
        auto const s = state_of(current());
        bool const opened = s == circuit_state::open || s == circuit_state::half_open;
        if (options_.dry_run && opened) go(circuit_state::closed, now);
    }
    transitions_.deliver();
}

template <clock Clock>
circuit_state basic_circuit_breaker<Clock>::state(time_point now) const noexcept
{
    auto const s = state_of(stamp_.load(std::memory_order_acquire));
    if (s == circuit_state::open && now >= open_until_.load(std::memory_order_relaxed)) return circuit_state::half_open;
    return s;
}

template <clock Clock>
circuit_tally basic_circuit_breaker<Clock>::tally(time_point now) const noexcept
{
    std::scoped_lock const lock(mutex_);
    return window_.total(now);
}

template <clock Clock>
auto basic_circuit_breaker<Clock>::rate(time_point now, std::uint64_t circuit_tally::*part) const noexcept
    -> std::optional<double>
{
    std::scoped_lock const lock(mutex_);
    auto const total = window_.total(now);
    if (total.calls < minimum()) return std::nullopt;
    return static_cast<double>(total.*part) / static_cast<double>(total.calls);
}

template <clock Clock>
std::optional<double> basic_circuit_breaker<Clock>::failure_rate(time_point now) const noexcept
{
    return rate(now, &circuit_tally::failures);
}

template <clock Clock>
std::optional<double> basic_circuit_breaker<Clock>::slow_call_rate(time_point now) const noexcept
{
    return rate(now, &circuit_tally::slow);
}

template <clock Clock>
std::uint64_t basic_circuit_breaker<Clock>::minimum() const noexcept
{
    auto const* const counted = std::get_if<count_window>(&options_.window);
    return counted != nullptr ? std::min(options_.minimum_calls, counted->calls) : options_.minimum_calls;
}

template <clock Clock>
duration basic_circuit_breaker<Clock>::grown(duration interval) const noexcept
{
    auto const next = static_cast<double>(interval.count()) * options_.open_multiplier;
    if (!(next < static_cast<double>(options_.max_open_for.count()))) return options_.max_open_for;
    return std::max(options_.open_for, duration(static_cast<duration::rep>(next)));
}

template <clock Clock>
duration basic_circuit_breaker<Clock>::slow_after(options const& o) noexcept
{
    return o.slow_call_duration > duration::zero() ? o.slow_call_duration : duration::max();
}

}  // namespace weir
