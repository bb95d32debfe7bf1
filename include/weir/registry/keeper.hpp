// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/random.hpp>
#include <weir/registry/detail/question.hpp>
#include <weir/registry/detail/retry_after.hpp>
#include <weir/registry/lease.hpp>
#include <weir/registry/lease_backend.hpp>
#include <weir/retry/backoff.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

namespace weir::registry {

struct lease_options {
    duration timeout = std::chrono::seconds(5);         ///< of each question; of heartbeats at most a third of the TTL
    duration remove_timeout = std::chrono::seconds(2);  ///< of deregistering

    /// Pause before asking again after a failure. Heartbeats come back within a third of the TTL whatever this says.
    weir::backoff backoff =
        exponential(std::chrono::milliseconds(100), std::chrono::seconds(30)).with(jitter::decorrelated);

    /// A registry that says when to come back (Retry-After of an answer of 429 or 503) is not asked to register before
    /// that, but waited for no longer than this and a tenth; heartbeats wait a third of the TTL at most, and what the
    /// user changes is told at once. 0: it is not heeded.
    duration max_retry_after = std::chrono::minutes(1);

    /// Throws: std::invalid_argument, naming the first field that is out of range.
    void check() const;
};

/// Has `backend` know `r`, and keeps that true. Returns at once; the lease's events tell how it goes.
///
///   - registers; the first heartbeat follows at once, because a registry may keep an old critical state;
///   - then a heartbeat each third of the TTL, with 10 % jitter, so that a fleet started together spreads;
///   - told that the instance is not known, it registers again at once; after other failures it retries, and registers
///     again when the TTL has passed without a heartbeat heard.
///
/// Throws: std::invalid_argument, naming the field of registration or lease_options.   Threads: any.
/// Cost:   one coroutine a lease.
template <lease_backend Backend>
[[nodiscard]] lease keep(asio::any_io_executor executor, Backend backend, registration r, lease_options o = {},
                         random_engine random = random_engine{thread_random()()});

/// The same, complete when the registry has it. A registry that cannot be reached is waited for: cancel to give up.
/// Signature:    void(boost::system::error_code, lease). errc::registry_refused: the registry said no; the lease goes
///               on trying, destroy it to give up.
/// Cancellation: all types; the lease is gone then, and the TTL ends what the registry may already have.
template <lease_backend Backend, class Token>
auto async_keep(asio::any_io_executor executor, Backend backend, registration r, lease_options o, Token&& token);

// Bodies

inline void lease_options::check() const
{
    using weir::detail::bad_option;
    if (timeout <= duration::zero()) bad_option("lease_options.timeout", "above 0 ms", timeout);
    if (remove_timeout <= duration::zero()) bad_option("lease_options.remove_timeout", "above 0 ms", remove_timeout);
    if (backoff.max() <= duration::zero()) bad_option("lease_options.backoff", "above 0 ms", backoff.max());
    if (max_retry_after < duration::zero() || max_retry_after > std::chrono::hours(24))
        bad_option("lease_options.max_retry_after", "in [0, 86400000] ms", max_retry_after);
}

namespace detail {

class keeper final : public lease_state, public std::enable_shared_from_this<keeper> {
public:
    keeper(asio::any_io_executor executor, std::unique_ptr<lease_source> source, registration r, lease_options o,
           random_engine random)
        : lease_state(executor, r = checked(std::move(r))),
          strand_(asio::make_strand(executor)),
          source_(std::move(source)),
          options_((o.check(), o)),
          random_(random),
          pause_(strand_),
          leave_(strand_),
          question_(strand_),
          now_(std::move(r))
    {
    }

    void start()
    {
        asio::co_spawn(strand_, run(shared_from_this()), [self = shared_from_this()](std::exception_ptr e) {
            if (e) self->removed_ = make_error_code(errc::registry_unavailable);
            self->finish(self->removed_);
        });
    }

    void stop() override
    {
        tell_loop([](keeper& k) { k.stopped_ = k.stopped_ || !k.draining_; });
    }

    /// On its strand, where its conversation is held.
    void let_go(std::shared_ptr<lease_state> self) override
    {
        auto const strand = strand_;
        asio::post(strand, [self = std::move(self)] {});
    }

    void remove() override
    {
        tell_loop([](keeper& k) { k.stopped_ = k.removing_ = true; });
    }

    void set_state(health h) override
    {
        asio::post(strand_, [self = shared_from_this(), h] {
            if (!self->draining_) self->state_ = h;
            self->beat_now_ = true;
            self->pause_.cancel();
        });
    }

    void update(registration r) override
    {
        describe(r);
        asio::post(strand_, [self = shared_from_this(), r = std::move(r)]() mutable {
            self->now_ = std::move(r);
            self->put_now_ = self->beat_now_ = true;
            self->pause_.cancel();
        });
    }

    void drain(duration d) override
    {
        asio::post(strand_, [self = shared_from_this(), d] {
            if (std::exchange(self->draining_, true)) return;
            self->state_ = health::critical;
            self->beat_now_ = true;
            self->pause_.cancel();
            self->leave_.async_wait_for(d, [self](boost::system::error_code ec) {
                if (!ec) self->remove();
            });
        });
    }

private:
    using answer = detail::answer<registry::reply>;

    template <class Change>
    void tell_loop(Change change)
    {
        asio::post(strand_, [self = shared_from_this(), change] {
            change(*self);
            if (!self->stopped_) return;
            self->pause_.cancel();
            self->leave_.cancel();
            if (!self->leaving_) self->question_.cancel();
        });
    }

    static asio::awaitable<void> run(std::shared_ptr<keeper> self)
    {
        bool known_once = false;
        while (!self->stopped_) {
            if (!co_await self->introduce(known_once)) continue;
            known_once = true;
            co_await self->beat_on();
        }
        self->leaving_ = true;
        if (self->removing_) {
            auto const a = co_await self->ask(step::remove, self->options_.remove_timeout);
            self->removed_ = a.ec;
        }
    }

    // One try to be registered. After a failure it has waited.
    asio::awaitable<bool> introduce(bool again)
    {
        // Forgotten once, come back at once; a registry that forgets at every heartbeat is met with backoff.
        beat_now_ = false;
        put_now_ = false;
        if (failures_ > 1) co_await sleep(refused_ ? options_.backoff.max() : now_.ttl / 3, duration::max());
        if (stopped_) co_return false;
        auto const a = co_await ask(step::put, options_.timeout);
        if (stopped_) co_return false;
        if (!a.ec) {
            heard_ = pause_.now();
            refused_ = false;
            tell({again ? lease_event::kind::restored : lease_event::kind::registered});
            co_return true;
        }
        note_refusal(a);
        failures_ = std::max(failures_, 1u) + 1;  // the next try waits
        co_return false;
    }

    // Heartbeats, until the registry has lost us.
    asio::awaitable<void> beat_on()
    {
        while (!stopped_) {
            beat_now_ = false;
            auto const third = now_.ttl / 3;
            if (put_now_) {
                put_now_ = false;
                auto const told = co_await ask(step::put, std::min(options_.timeout, third));
                if (stopped_) co_return;
                if (!told.ec) tell({lease_event::kind::updated});
                note_refusal(told);
                // Later, then: the heartbeats have to go on.
                if (told.ec) {
                    put_later_ = true;
                    co_await wait(std::min(asked_for(), third));
                    if (stopped_) co_return;
                }
            }
            auto const a = co_await ask(step::beat, std::min(options_.timeout, third));
            if (stopped_) co_return;
            auto const now = pause_.now();
            if (!a.ec && a.reply.known) {
                heard_ = now;
                failures_ = 0;
                refused_ = false;
                update_status([&](lease_status& st) { st.last_beat = now, ++st.beats; });
                if (!beat_now_) co_await wait(third * 9 / 10 + jittered(third / 5));
                put_now_ = put_now_ || std::exchange(put_later_, false);
                continue;
            }
            note_refusal(a);
            if (!a.ec || between(heard_, now) >= now_.ttl) {
                ++failures_;
                tell({lease_event::kind::lost, a.ec, a.reply.note});
                co_return;
            }
            ++failures_;
            co_await sleep(third, third);
        }
    }

    enum class step : std::uint8_t { put, beat, remove };

    asio::awaitable<answer> ask(step s, duration limit)
    {
        // A copy: an update must not change what is being told.
        auto const what = now_;
        auto a = co_await question_.ask<registry::reply>(limit, [this, s, &what](reply_handler done) {
            switch (s) {
                case step::put: return source_->put(what, std::move(done));
                case step::beat: return source_->beat(what, state_, std::move(done));
                case step::remove: return source_->remove(what, std::move(done));
            }
        });
        if (a.ec && !stopped_) update_status([](lease_status& st) { ++st.failures; });
        co_return a;
    }

    void note_refusal(answer const& a)
    {
        if (a.ec != errc::registry_refused || std::exchange(refused_, true)) return;
        tell({lease_event::kind::refused, a.ec, a.reply.note});
    }

    // Backoff, at most `limit`, or what the registry asks for, at most `longest`.
    asio::awaitable<void> sleep(duration limit, duration longest)
    {
        last_pause_ = options_.backoff.delay(failures_, failures_ > 1 ? last_pause_ : duration{}, random_);
        co_await wait(std::max(std::min(last_pause_, limit), std::min(asked_for(), longest)));
    }

    [[nodiscard]] duration asked_for()
    {
        auto const wish = std::min(source_->retry_after(), options_.max_retry_after);
        return detail::and_a_tenth(wish, random_);
    }

    asio::awaitable<void> wait(duration d)
    {
        if (stopped_ || beat_now_) co_return;
        co_await pause_.async_wait_for(d, asio::as_tuple(asio::use_awaitable));
    }

    [[nodiscard]] duration jittered(duration d)
    {
        return duration{static_cast<duration::rep>(
            uniform_below(random_, static_cast<std::uint64_t>(std::max<duration::rep>(d.count(), 0))))};
    }

    asio::strand<asio::any_io_executor> strand_;
    std::unique_ptr<lease_source> source_;
    lease_options options_;
    random_engine random_;
    weir::timer pause_;
    weir::timer leave_;  // when draining is over
    detail::question question_;
    registration now_;
    boost::system::error_code removed_;
    time_point heard_{};  // the last time the registry certainly had us
    duration last_pause_{};
    unsigned failures_ = 0;
    health state_ = health::passing;
    bool refused_ = false;
    bool beat_now_ = false;
    bool put_now_ = false;    // what is registered has changed
    bool put_later_ = false;  // and could not be told
    bool draining_ = false;
    bool stopped_ = false;
    bool removing_ = false;
    bool leaving_ = false;
};

inline lease keep(asio::any_io_executor executor, std::unique_ptr<lease_source> source, registration r, lease_options o,
                  random_engine random = random_engine{thread_random()()})
{
    auto const state = std::make_shared<keeper>(std::move(executor), std::move(source), std::move(r), o, random);
    state->start();
    return lease(state);
}

template <class Token>
auto async_keep(asio::any_io_executor executor, std::unique_ptr<lease_source> source, registration r, lease_options o,
                Token&& token)
{
    return asio::async_compose<Token, void(boost::system::error_code, lease)>(
        [executor, source = std::move(source), r = checked(std::move(r)), o, kept = std::shared_ptr<lease>()](
            auto& self, boost::system::error_code ec = {}, lease_event e = {}) mutable {
            if (!kept) {
                self.reset_cancellation_state(asio::enable_total_cancellation());
                auto const l = std::make_shared<lease>(keep(executor, std::move(source), std::move(r), o));
                kept = l;
                return l->async_wait_event(std::move(self));
            }
            auto const l = kept;
            if (ec) return self.complete(ec, lease());
            self.complete(e.code, std::move(*l));
        },
        token, executor);
}

}  // namespace detail

template <lease_backend Backend>
lease keep(asio::any_io_executor executor, Backend backend, registration r, lease_options o, random_engine random)
{
    return detail::keep(std::move(executor), std::make_unique<detail::lease_source_for<Backend>>(std::move(backend)),
                        std::move(r), o, random);
}

template <lease_backend Backend, class Token>
auto async_keep(asio::any_io_executor executor, Backend backend, registration r, lease_options o, Token&& token)
{
    return detail::async_keep(executor, std::make_unique<detail::lease_source_for<Backend>>(std::move(backend)),
                              std::move(r), o, std::forward<Token>(token));
}

}  // namespace weir::registry
