// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

// Included by shared_key.hpp only.
#include <weir/shared/detail/shared_key.hpp>

namespace weir::detail {

inline shared_key::verdict shared_key::decide(std::uint64_t n, time_point now) noexcept
{
    if (n == 0) return {true, {}, now};
    actions todo;
    verdict v;
    {
        std::scoped_lock const lock(mutex_);
        if (waiters_.empty() && book_.lots.take_across(n, now)) return {true, {}, now};
        auto const store = health_.look();
        book_.missed(n);
        if (store.what != store_health::standing::well) {
            v = without(n, now, store);
            ask(now, todo);
        } else if (n > terms_->lease) {
            v = {false, errc::exceeds_burst, never};
        } else {
            if (book_.may_ask(now)) {
                todo.question = book_.ask(waited_for_ + n, n, false, now, *terms_);
                todo.terms = terms_;
            }
            v.at = book_.asking() ? book_.late_at(*terms_) : std::max(book_.refused_until(), now);
        }
        if (todo.question) arm();
    }
    if (!v.admitted) core_->count.refused.fetch_add(n, std::memory_order_relaxed);
    act(todo);
    return v;
}

inline std::optional<shared_key::verdict> shared_key::enqueue(shared_waiter& w, std::uint64_t n, duration max_wait,
                                                              time_point now)
{
    if (n == 0) return verdict{true, {}, now};
    actions todo;
    std::optional<verdict> v;
    {
        std::scoped_lock const lock(mutex_);
        auto const store = health_.look();
        if (core_->stopped.load(std::memory_order_relaxed)) {
            v = verdict{false, errc::stopped, never};
        } else if (waiters_.empty() && book_.lots.take_across(n, now)) {
            return verdict{true, {}, now};
        } else if (store.what != store_health::standing::well) {
            book_.missed(n);
            v = without(n, now, store);
        } else if (n > terms_->lease) {
            v = verdict{false, errc::exceeds_burst, never};
        } else if (waiting_.load(std::memory_order_relaxed) >= terms_->options.max_waiting) {
            v = verdict{false, errc::too_many_calls, book_.refused_until()};
        } else if (!book_.asking() && book_.refused_until() > later(now, max_wait)) {
            book_.missed(n);
            v = verdict{false, errc::rate_limited, book_.refused_until()};
        } else {
            book_.missed(n);
            w.permits_ = n;
            w.gives_up_ = later(now, max_wait);
            w.decided_by_ = later(now, std::max(max_wait, terms_->options.acquire_timeout));
            w.waits_ = true;
            waiters_.push_back(w);
            waited_for_ += n;
            waiting_.fetch_add(1, std::memory_order_relaxed);
            decide_next_ = std::min(decide_next_, w.decided_by_);
        }
        ask(now, todo);
        arm();
    }
    if (v && !v->admitted) core_->count.refused.fetch_add(n, std::memory_order_relaxed);
    act(todo);
    return v;
}

inline bool shared_key::leave(shared_waiter& w) noexcept
{
    std::scoped_lock const lock(mutex_);
    if (!w.waits_) return false;
    w.waits_ = false;
    waited_for_ -= w.permits_;
    waiters_.erase(waiters_.iterator_to(w));
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    return true;
}

inline void shared_key::answered(std::uint64_t id, boost::system::error_code ec, permit_grant const& g) noexcept
{
    actions todo;
    {
        std::scoped_lock const lock(mutex_);
        if (core_->stopped.load(std::memory_order_relaxed)) return;  // the store may be gone too
        auto const now = core_->now();
        if (!book_.waits_for(id)) {
            // Decisions were made without it: it must not be used, or they would be made twice over.
            book_.came_late();
            if (!ec) {
                health_.sign_of_life(now);
                give_back({g.permits, g.stamp}, todo);
            }
        } else if (ec) {
            core_->count.errors.fetch_add(1, std::memory_order_relaxed);
            lose(false, now, todo);
        } else {
            health_.good(now);
            hand_out(g, now, todo);
        }
        arm();
    }
    act(todo);
}

/// A lease is about to run out.
inline void shared_key::refill(time_point now) noexcept
{
    actions todo;
    {
        std::scoped_lock const lock(mutex_);
        ask(now, todo);
        if (todo.question) arm();
    }
    act(todo);
}

// All below, up to `act`: under the lock.

inline void shared_key::ask(time_point now, actions& todo) noexcept
{
    if (core_->stopped.load(std::memory_order_relaxed) || !book_.may_ask(now) || !health_.may_ask(now)) return;
    bool const probe = health_.look().what == store_health::standing::gone;
    todo.question = book_.ask(waited_for_, waiters_.empty() ? 0 : waiters_.front().permits_, probe, now, *terms_);
    todo.terms = terms_;
}

inline shared_key::verdict shared_key::without(std::uint64_t n, time_point now, store_health::view const& v) noexcept
{
    auto const& o = terms_->options;
    if (o.when_gone == without_store::deny) return {false, errc::rate_limited, std::max(health_.probe_at(), now)};
    if (o.when_gone == without_store::local_share) {
        // A full bucket at every outage would be one more burst each time.
        if (std::exchange(outage_, v.outage) != v.outage) local_.drain(v.since);
        auto const a = local_.reserve(n, now, duration::zero());
        if (!a.admitted) return {false, a.why, a.at};
    }
    core_->count.local.fetch_add(n, std::memory_order_relaxed);
    return {true, {}, now};
}

/// The open question is lost, or given up: those who wait are decided without the store.
inline void shared_key::lose(bool late, time_point now, actions& todo) noexcept
{
    book_.failed(late, now, *terms_);
    health_.bad(now);
    auto const store = health_.look();
    while (!waiters_.empty()) {
        auto& w = waiters_.front();
        auto const v = without(w.permits_, now, store);
        end(w, v.admitted ? std::error_code() : make_error_code(v.why), todo);
    }
}

inline void shared_key::hand_out(permit_grant const& g, time_point now, actions& todo) noexcept
{
    book_.answered(g, now, *terms_);
    auto& count = core_->count;
    count.granted.fetch_add(g.permits, std::memory_order_relaxed);
    if (g.permits == 0) count.refusals.fetch_add(1, std::memory_order_relaxed);
    auto rest = g.permits;
    if (rest != 0 && now >= book_.until()) {  // we were held up ourselves
        book_.unused(rest);
        give_back({std::exchange(rest, 0), g.stamp}, todo);
    }
    while (!waiters_.empty()) {
        auto& w = waiters_.front();
        if (w.permits_ <= rest)
            rest -= w.permits_;
        else if (book_.lots.take_across(w.permits_ - rest, now))
            rest = 0;
        else
            break;
        end(w, {}, todo);
    }
    if (rest != 0) count.ended.fetch_add(book_.keep(rest, g.stamp, now), std::memory_order_relaxed);
    if (waiters_.empty()) return;
    ask(now, todo);
    send_away(now, todo);
}

/// Those who do not wait as long as it will take.
inline void shared_key::send_away(time_point now, actions& todo) noexcept
{
    bool const asking = book_.asking();
    decide_next_ = never;
    for (auto i = waiters_.begin(); i != waiters_.end();) {
        auto& w = *i++;
        if (w.decided_by_ <= now || (!asking && w.gives_up_ < book_.refused_until()))
            end(w, make_error_code(errc::rate_limited), todo);
        else
            decide_next_ = std::min(decide_next_, w.decided_by_);
    }
}

inline void shared_key::end(shared_waiter& w, std::error_code how, actions& todo) noexcept
{
    w.waits_ = false;
    w.how_ = how;
    waited_for_ -= w.permits_;
    waiters_.erase(waiters_.iterator_to(w));
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    if (how) core_->count.refused.fetch_add(w.permits_, std::memory_order_relaxed);
    todo.done.push_back(w);
}

inline void shared_key::give_back(lease_lots::lot const& l, actions& todo) noexcept
{
    if (l.permits == 0 || todo.return_count == todo.returns.size()) return;
    todo.returns[todo.return_count++] = l;
    todo.terms = terms_;
}

/// One wait in the timer queue, for whatever comes next.
inline void shared_key::arm() noexcept
{
    if (core_->stopped.load(std::memory_order_relaxed)) return;
    auto next =
        std::min({book_.late_at(*terms_), book_.renew_at(), book_.return_at(0, *terms_), book_.return_at(1, *terms_)});
    if (!waiters_.empty()) {
        next = std::min(next, decide_next_);
        if (!book_.asking()) next = std::min(next, book_.refused_until());
    }
    if (next == never || next >= armed_for_) return;  // woken too early, it looks again
    if (armed_for_ != never && !core_->queue.remove(*this)) return;
    armed_for_ = next;
    while_armed_ = shared_from_this();
    core_->queue.insert(*this, next, core_->executor);
}

inline void shared_key::tick() noexcept
{
    actions todo;
    {
        std::scoped_lock const lock(mutex_);
        auto const now = core_->now();
        if (book_.asking() && now >= book_.late_at(*terms_)) {
            core_->count.late.fetch_add(1, std::memory_order_relaxed);
            lose(true, now, todo);
        }
        bool const well = health_.look().what == store_health::standing::well;
        if (book_.renewal_due(now) && well) ask(now, todo);
        for (std::size_t i : {0u, 1u}) {
            if (book_.return_at(i, *terms_) > now) continue;
            auto const left = book_.lots.remove(i);
            book_.unused(left.permits);
            if (well)
                give_back(left, todo);
            else
                core_->count.ended.fetch_add(left.permits, std::memory_order_relaxed);
        }
        if (!waiters_.empty()) {
            if (!todo.question) ask(now, todo);
            send_away(now, todo);
        }
        arm();
    }
    act(todo);
}

/// Without the lock.
inline void shared_key::act(actions& todo) noexcept
{
    auto& count = core_->count;
    if (todo.question) {
        auto const& t = *todo.terms;
        count.questions.fetch_add(1, std::memory_order_relaxed);
        try {
            core_->port->acquire({.key = key_,
                                  .interval = t.interval,
                                  .tolerance = t.tolerance,
                                  .want = todo.question->want,
                                  .least = todo.question->least,
                                  .share = t.options.share,
                                  .hold = t.options.hold},
                                 shared_from_this(), todo.question->id);
        } catch (...) {
            answered(todo.question->id, std::make_error_code(std::errc::not_enough_memory), {});
        }
    }
    for (std::size_t i = 0; i < todo.return_count; ++i) {
        auto const& l = todo.returns[i];
        count.given_back.fetch_add(l.permits, std::memory_order_relaxed);
        try {
            core_->port->give_back({key_, todo.terms->interval, l.permits, l.stamp});
        } catch (...) {
            // Then they end where they are: some use is lost, and nothing else.
        }
    }
    while (!todo.done.empty()) {
        auto& w = todo.done.front();
        todo.done.pop_front();
        w.ended(w.how_);
    }
}

inline void shared_key::expired() noexcept
{
    std::shared_ptr<shared_key> self;
    {
        std::scoped_lock const lock(mutex_);
        self = std::move(while_armed_);
        armed_for_ = never;
    }
    auto const executor = core_->executor;
    asio::post(executor, [self = std::move(self)] { self->tick(); });
}

inline void shared_key::abandoned() noexcept
{
    std::shared_ptr<shared_key> self;
    waiters gone;
    {
        std::scoped_lock const lock(mutex_);
        self = std::move(while_armed_);
        armed_for_ = never;
        for (auto& w : waiters_) w.waits_ = false;
        gone.swap(waiters_);
        core_->stopped.store(true, std::memory_order_relaxed);
    }
    while (!gone.empty()) {
        auto& w = gone.front();
        gone.pop_front();
        w.abandoned();
    }
}

inline void shared_key::use(terms_pointer terms, time_point now) noexcept
{
    std::scoped_lock const lock(mutex_);
    terms_ = std::move(terms);
    local_.reconfigure(terms_->local, now);
}

/// Precondition: core_->stopped.
inline void shared_key::stop() noexcept
{
    actions todo;
    std::shared_ptr<shared_key> self;
    {
        std::scoped_lock const lock(mutex_);
        if (armed_for_ != never && core_->queue.remove(*this)) {
            armed_for_ = never;
            self = std::move(while_armed_);
        }
        while (!waiters_.empty()) end(waiters_.front(), make_error_code(errc::stopped), todo);
        bool const well = health_.look().what == store_health::standing::well;
        for (std::size_t i : {0u, 1u}) {
            auto const left = book_.lots.remove(i);
            book_.unused(left.permits);
            if (well) give_back(left, todo);
        }
    }
    act(todo);
}

inline bool shared_key::forgettable(time_point now) const noexcept
{
    std::scoped_lock const lock(mutex_);
    return waiters_.empty() && book_.forgettable(now);
}

}  // namespace weir::detail
