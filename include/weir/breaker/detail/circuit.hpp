// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/circuit_breaker_options.hpp>
#include <weir/breaker/detail/circuit_line.hpp>
#include <weir/breaker/detail/draws.hpp>
#include <weir/breaker/open_interval.hpp>
#include <weir/breaker/outcome_window.hpp>
#include <weir/breaker/probes.hpp>
#include <weir/breaker/ramp.hpp>
#include <weir/breaker/transitions.hpp>
#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace weir::detail {

class circuit;

// State, whether the traffic is still ramping up, and generation in one word, so that one load answers and one
// comparison tells whether a permit still counts. Never 0.
using circuit_stamp = std::uint64_t;

/// Leave to make one call, of a circuit that outlives it.
class [[nodiscard]] circuit_permit {
public:
    circuit_permit(circuit* c, circuit_stamp s, std::uint64_t probe) noexcept : circuit_(c), stamp_(s), probe_(probe) {}
    circuit_permit(circuit_permit&& o) noexcept
        : circuit_(std::exchange(o.circuit_, nullptr)), stamp_(o.stamp_), probe_(o.probe_)
    {
    }
    circuit_permit& operator=(circuit_permit&& o) noexcept
    {
        circuit_permit const old(std::move(*this));
        circuit_ = std::exchange(o.circuit_, nullptr), stamp_ = o.stamp_, probe_ = o.probe_;
        return *this;
    }
    ~circuit_permit();

    void record(outcome const& o, time_point now) noexcept;

protected:
    circuit* circuit_;  // null: settled, moved from, or of a disabled breaker

private:
    circuit_stamp stamp_;
    std::uint64_t probe_;  // 0: not a probe
};

/// The machine in a circuit breaker, which is a face with a clock before it and says what all this means.
class circuit {
public:
    using stamp = circuit_stamp;
    using permit = circuit_permit;

    explicit circuit(circuit_breaker_options o);

    /// 0: ask `admit`.
    [[nodiscard]] stamp admit_at_once() const noexcept
    {
        // Acquire pairs with the release in go(): who sees a generation sees its window and its deadline too.
        auto const s = stamp_.load(std::memory_order_acquire);
        return (s & (state_mask | ramping)) == make_stamp(0, circuit_state::closed) ? s : 0;
    }
    [[nodiscard]] admission<permit> admit(time_point now) noexcept;
    void settle(stamp s, std::uint64_t probe, outcome const& o, time_point now) noexcept;
    void give_back(std::uint64_t probe) noexcept;

    void set_state(circuit_state to, time_point now) noexcept;
    void advance(time_point now) noexcept;
    [[nodiscard]] time_point next_transition() const noexcept;
    void reconfigure(circuit_breaker_options o, time_point now);

    [[nodiscard]] circuit_state state(time_point now) const noexcept;
    [[nodiscard]] double share(time_point now) const noexcept;
    [[nodiscard]] bool idle(time_point now) const noexcept;
    [[nodiscard]] circuit_tally tally(time_point now) const noexcept;
    [[nodiscard]] std::optional<double> rate(time_point now, std::uint64_t circuit_tally::*part) const noexcept;
    [[nodiscard]] std::uint64_t refusals() const noexcept { return window_.refusals(); }
    [[nodiscard]] std::string_view name() const noexcept { return name_; }
    [[nodiscard]] circuit_breaker_options const& options_before_use() const noexcept { return options_; }
    [[nodiscard]] circuit_breaker_options get_options() const
    {
        std::scoped_lock const lock(mutex_);
        return options_;
    }
    [[nodiscard]] transition_queue& transitions() noexcept { return transitions_; }
    [[nodiscard]] circuit_line& line() noexcept { return line_; }

private:
    static constexpr stamp state_mask = 7, ramping = 8;
    static constexpr stamp make_stamp(std::uint64_t generation, circuit_state s) noexcept
    {
        return (generation << 4) | static_cast<stamp>(s);
    }
    static constexpr circuit_state state_of(stamp s) noexcept { return static_cast<circuit_state>(s & state_mask); }
    static constexpr std::uint64_t generation_of(stamp s) noexcept { return s >> 4; }
    /// The end of a ramp begins no generation: what was admitted during it counts.
    static constexpr bool same(stamp a, stamp b) noexcept { return ((a ^ b) & ~ramping) == 0; }

    [[nodiscard]] rejection refuse(time_point retry_at) noexcept
    {
        window_.count_refusal();
        return {errc::circuit_open, retry_at, name_};
    }
    [[nodiscard]] admission<permit> admit_on_ramp(stamp seen, time_point now) noexcept;
    /// After a change, with no lock held.
    void tell() noexcept
    {
        line_.changed();
        transitions_.deliver();
    }

    // Under the lock. Those that answer true have news for listeners.
    void let_time_pass(time_point now) noexcept;
    [[nodiscard]] admission<permit> admit_under_lock(time_point now) noexcept;
    [[nodiscard]] bool judge_window(time_point now, duration asked, bool told_to) noexcept;
    [[nodiscard]] bool judge_probes(time_point now, duration asked, bool told_to) noexcept;
    void recover(time_point now) noexcept;
    void open_again(time_point now, duration asked) noexcept;
    void go(circuit_state to, time_point now, duration asked = {}, stamp ramp = 0) noexcept;

    [[nodiscard]] stamp current() const noexcept { return stamp_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool is(circuit_state s) const noexcept { return state_of(current()) == s; }
    [[nodiscard]] time_point open_until() const noexcept { return open_until_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool judges_slowness() const noexcept { return options_.slow_call_duration > duration::zero(); }
    [[nodiscard]] std::uint64_t minimum() const noexcept;
    [[nodiscard]] static duration slow_after(circuit_breaker_options const& o) noexcept
    {
        return o.slow_call_duration > duration::zero() ? o.slow_call_duration : duration::max();
    }

    // Written under the lock, read without it.
    alignas(64) atomic<stamp> stamp_{make_stamp(1, circuit_state::closed)};
    atomic<duration> slow_after_;
    atomic<time_point> open_until_{time_point::min()};
    ramp ramp_;

    window_with_front window_;
    draws draws_;

    mutable mutex mutex_;
    circuit_breaker_options options_;
    probes probes_;
    time_point half_open_until_ = never;
    unsigned run_ = 0;  // failures since the last success, while consecutive_failures is on
    open_interval interval_;
    bool would_be_open_ = false;  // dry run: the listeners know, and it is still so
    transition_queue transitions_;
    circuit_line line_;
    std::string const name_;
};

// Bodies

inline circuit_permit::~circuit_permit()
{
    if (probe_ != 0 && circuit_ != nullptr) circuit_->give_back(probe_);
}

inline void circuit_permit::record(outcome const& o, time_point now) noexcept
{
    if (auto* const c = std::exchange(circuit_, nullptr)) c->settle(stamp_, probe_, o, now);
}

inline circuit::circuit(circuit_breaker_options o)
    : slow_after_((check(o), slow_after(o))),
      window_(o.window, 1, o.stripes),
      draws_(o.seed),
      options_(std::move(o)),
      probes_(options_.half_open_probes),
      name_(options_.name)
{
}

inline auto circuit::admit(time_point now) noexcept -> admission<permit>
{
    auto const seen = stamp_.load(std::memory_order_acquire);
    switch (state_of(seen)) {
        case circuit_state::closed:
            if ((seen & ramping) == 0) return permit(this, seen, 0);
            if (now < ramp_.end()) return admit_on_ramp(seen, now);
            break;
        case circuit_state::open:
            // Refusing takes no lock. If the circuit has moved on since, this is the deadline of a later opening: as
            // true.
            if (auto const until = open_until(); now < until) return refuse(until);
            break;
        case circuit_state::half_open: break;
        case circuit_state::forced_open: return refuse(never);
        case circuit_state::disabled: return permit(nullptr, seen, 0);
    }
    std::unique_lock lock(mutex_);
    auto const before = current();
    auto answer = admit_under_lock(now);
    auto const news = !same(current(), before);
    lock.unlock();
    if (news) tell();
    return answer;
}

inline auto circuit::admit_on_ramp(stamp seen, time_point now) noexcept -> admission<permit>
{
    auto const u = draws_.unit();
    if (u < ramp_.share(now)) return permit(this, seen, 0);
    return refuse(ramp_.reaches(u, now));
}

inline auto circuit::admit_under_lock(time_point now) noexcept -> admission<permit>
{
    let_time_pass(now);
    switch (state_of(current())) {  // another thread may have been here first
        case circuit_state::closed:
            if ((current() & ramping) != 0) return admit_on_ramp(current(), now);
            return permit(this, current(), 0);
        case circuit_state::open: return refuse(open_until());
        case circuit_state::half_open: break;
        case circuit_state::forced_open: return refuse(never);
        case circuit_state::disabled: return permit(nullptr, current(), 0);
    }
    auto const lease = options_.probe_timeout > duration::zero() ? options_.probe_timeout : options_.open_for;
    if (auto const probe = probes_.take(later(now, lease))) return permit(this, current(), probe);
    return refuse(std::min(probes_.earliest_lease_end(), half_open_until_));
}

inline void circuit::settle(stamp s, std::uint64_t probe, outcome const& o, time_point now) noexcept
{
    using counted = window_with_front::counted;
    if (!same(stamp_.load(std::memory_order_acquire), s)) return;  // of an older generation: counts nowhere
    if (o.what == outcome::kind::ignored) {
        if (probe != 0) give_back(probe);
        return;
    }
    bool const slow = o.latency > slow_after_.load(std::memory_order_relaxed);
    auto call = one_call(o.failed(), slow);
    if (probe == 0 && o.ok() && !slow) {
        auto const done = window_.count_success(generation_of(s), now);
        if (done == counted::yes) [[likely]]
            return;
        if (done == counted::then_judge) call = {};
    }
    auto const asked = o.failed() ? o.retry_after.value_or(duration::zero()) : duration::zero();
    bool const told_to = o.failed() && o.opens;

    bool news = false;
    {
        std::scoped_lock const lock(mutex_);
        if (!same(current(), s)) return;
        if (probe == 0) {
            window_.update(call, now);
            run_ = o.failed() ? run_ + (run_ < options_.consecutive_failures) : 0;
            news = judge_window(now, asked, told_to);
        } else {
            probes_.expire(now);
            bool const in_time = probes_.settle(probe, o.failed(), slow);
            news = judge_probes(now, asked, in_time && told_to);
        }
    }
    if (news) tell();
}

inline void circuit::give_back(std::uint64_t probe) noexcept
{
    {
        std::scoped_lock const lock(mutex_);
        if (!probes_.give_back(probe)) return;  // of an earlier half-open period: not known any more
    }
    line_.changed();
}

inline bool circuit::judge_window(time_point now, duration asked, bool told_to) noexcept
{
    auto const& o = options_;
    auto const total = window_.total();
    bool const enough = total.calls >= minimum();
    bool const run = o.consecutive_failures != 0 && run_ >= o.consecutive_failures;
    bool const many = o.failures != 0 && total.failures >= o.failures;
    bool const over = told_to || run || many || (enough && reaches(total.failures, total.calls, o.failure_rate)) ||
                      (enough && judges_slowness() && reaches(total.slow, total.calls, o.slow_call_rate));
    if (over && !o.dry_run) {
        if ((current() & ramping) != 0 && now < ramp_.end()) {
            open_again(now, asked);  // not well yet
        } else {
            interval_.begin(o);
            go(circuit_state::open, now, asked);
        }
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

inline bool circuit::judge_probes(time_point now, duration asked, bool told_to) noexcept
{
    auto const slow_rate = judges_slowness() ? options_.slow_call_rate : 0.0;
    switch (told_to ? probes::verdict::sick
                    : probes_.judge(options_.failure_rate, slow_rate, options_.half_open_success_rate)) {
        case probes::verdict::undecided: return false;
        case probes::verdict::healthy: recover(now); break;
        case probes::verdict::sick: open_again(now, asked); break;
    }
    return true;
}

inline void circuit::recover(time_point now) noexcept
{
    if (options_.ramp_for == duration::zero()) return go(circuit_state::closed, now);
    ramp_.begin(now, options_.ramp_from, options_.ramp_for);
    go(circuit_state::closed, now, {}, ramping);
}

inline void circuit::open_again(time_point now, duration asked) noexcept
{
    interval_.grow(options_);
    go(circuit_state::open, now, asked);
}

/// The only place where the state changes.
inline void circuit::go(circuit_state to, time_point now, duration asked, stamp ramp) noexcept
{
    auto const from = state_of(current());
    auto const generation = generation_of(current()) + 1;
    window_.begin(generation);
    run_ = 0;
    would_be_open_ = false;
    switch (to) {
        case circuit_state::closed: window_.clear(); break;
        case circuit_state::open:
            open_until_.store(interval_.end(options_, now, asked, draws_.unit()), std::memory_order_relaxed);
            break;
        case circuit_state::half_open:
            probes_.begin();
            half_open_until_ = options_.half_open_for > duration::zero() ? later(now, options_.half_open_for) : never;
            break;
        case circuit_state::forced_open:
        case circuit_state::disabled: break;
    }
    stamp_.store(make_stamp(generation, to) | ramp, std::memory_order_release);
    if (from != to) transitions_.push({name_, from, to, now, false});
}

/// What is due because of the time alone.
inline void circuit::let_time_pass(time_point now) noexcept
{
    if (is(circuit_state::open) && now >= open_until()) go(circuit_state::half_open, now);
    if (is(circuit_state::half_open)) {
        probes_.expire(now);
        if (!judge_probes(now, {}, false) && now >= half_open_until_) open_again(now, {});
    }
    if ((current() & ramping) != 0 && now >= ramp_.end()) stamp_.store(current() & ~ramping, std::memory_order_release);
}

inline void circuit::advance(time_point now) noexcept
{
    {
        std::scoped_lock const lock(mutex_);
        let_time_pass(now);
    }
    tell();
}

inline time_point circuit::next_transition() const noexcept
{
    std::scoped_lock const lock(mutex_);
    if (is(circuit_state::open)) return open_until();
    if (is(circuit_state::half_open)) return std::min(probes_.earliest_lease_end(), half_open_until_);
    return (current() & ramping) != 0 ? ramp_.end() : never;
}

inline void circuit::set_state(circuit_state to, time_point now) noexcept
{
    {
        std::scoped_lock const lock(mutex_);
        interval_.begin(options_);
        go(to, now);
    }
    tell();
}

inline void circuit::reconfigure(circuit_breaker_options o, time_point now)
{
    check(o);
    {
        std::scoped_lock const lock(mutex_);
        probes_.reserve(o.half_open_probes);
        window_.reconfigure(o.window, now);  // the last thing that can throw, and the first that changes anything
        probes_.want(o.half_open_probes);
        window_.watch_all();  // the next call is judged by the new limits
        slow_after_.store(slow_after(o), std::memory_order_relaxed);
        options_ = std::move(o);
        bool const opened = is(circuit_state::open) || is(circuit_state::half_open);
        if (options_.dry_run && opened) go(circuit_state::closed, now);
    }
    tell();
}

inline circuit_state circuit::state(time_point now) const noexcept
{
    auto const s = state_of(stamp_.load(std::memory_order_acquire));
    return s == circuit_state::open && now >= open_until() ? circuit_state::half_open : s;
}

inline double circuit::share(time_point now) const noexcept
{
    auto const s = stamp_.load(std::memory_order_acquire);
    switch (state_of(s)) {
        case circuit_state::closed: return (s & ramping) != 0 ? ramp_.share(now) : 1;
        case circuit_state::disabled: return 1;
        case circuit_state::open:
        case circuit_state::half_open:
        case circuit_state::forced_open: break;
    }
    return 0;
}

inline bool circuit::idle(time_point now) const noexcept
{
    std::scoped_lock const lock(mutex_);
    bool const ramps = (current() & ramping) != 0 && now < ramp_.end();
    return is(circuit_state::closed) && !ramps && run_ == 0 && window_.total(now) == circuit_tally{};
}

inline circuit_tally circuit::tally(time_point now) const noexcept
{
    std::scoped_lock const lock(mutex_);
    return window_.total(now);
}

inline std::optional<double> circuit::rate(time_point now, std::uint64_t circuit_tally::*part) const noexcept
{
    std::scoped_lock const lock(mutex_);
    auto const total = window_.total(now);
    if (total.calls < minimum()) return std::nullopt;
    return static_cast<double>(total.*part) / static_cast<double>(total.calls);
}

inline std::uint64_t circuit::minimum() const noexcept
{
    auto const* const counted = std::get_if<count_window>(&options_.window);
    return counted != nullptr ? std::min(options_.minimum_calls, counted->calls) : options_.minimum_calls;
}

}  // namespace weir::detail
