// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/time.hpp>
#include <weir/registry/detail/etcd_wire.hpp>
#include <weir/registry/detail/spawned.hpp>
#include <weir/shared/detail/etcd_limit_document.hpp>
#include <weir/shared/etcd_store_options.hpp>
#include <weir/shared/limit_store.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace weir::detail {

/// What the questions of one etcd_store share: what is known of the keys, and the leases that end them. It knows no
/// transport: `Wire` has `ask(target, body)`, an awaitable of etcd_said, and `now()`, a clock that never steps.
///
/// A key's clock. etcd has none to offer, and processes' wall clocks differ; so each key counts microseconds since it
/// was made, and its value says when, by that count, it was last written. A process that reads n at its own instant s1
/// may say at s that it is n + (s - s1): what it read had been written by s1. It keeps the best of all it ever read of
/// the key (`ahead`) and takes the later of that and what it has just read. By induction nobody is ever ahead of n0 +
/// t, whatever wall clocks say: only the pace of steady clocks counts. Who read late is behind, by less than what had
/// passed since the write; that is the L of etcd_store. Within one key time never goes back: a write has the greater
/// of two, and compare and swap puts writes in an order.
///
/// Leases. A process asks for a lease of twice the time that a debt may last, puts keys under it during its first half,
/// and never prolongs it. So a key outlives its debt and what is held (60 s), and then goes with the lease; a lease is
/// asked for once in a minute or less often, however many keys there are.
///
/// Threads: async_..., last_error: any. All else: the strand.
template <class Wire>
class etcd_limit_core : public std::enable_shared_from_this<etcd_limit_core<Wire>> {
    using answer = registry::detail::spawned_answer<permit_grant>;
    using said = registry::detail::etcd_said;
    using trouble = registry::detail::etcd_trouble;

public:
    etcd_limit_core(asio::any_io_executor strand, Wire wire, etcd_store_options o)
        : strand_(std::move(strand)), wire_(std::move(wire)), options_(std::move(o))
    {
    }

    using handler_type = registry::detail::erased_handler<permit_grant>;

    void async_acquire(permit_request const& r, handler_type done)
    {
        auto work = question(this->shared_from_this(), options_.prefix + r.key, acquiring{r});
        registry::detail::spawn_for<permit_grant>(strand_, std::move(work), std::move(done));
    }

    void async_give_back(permit_return const& r, handler_type done)
    {
        auto work = question(this->shared_from_this(), options_.prefix + r.key, giving_back{r});
        registry::detail::spawn_for<permit_grant>(strand_, std::move(work), std::move(done));
    }

    [[nodiscard]] std::string last_error() const
    {
        std::scoped_lock const lock(mutex_);
        return last_error_;
    }

private:
    // What a question does to the word, at a moment of the key's clock. False: nothing.
    struct acquiring {
        permit_request request;
        permit_grant grant = {};
        [[nodiscard]] bool operator()(shared_gcra& w, double now) noexcept
        {
            grant = w.acquire(request, now);
            return grant.permits != 0;
        }
    };
    struct giving_back {
        permit_return back;
        permit_grant grant = {};
        [[nodiscard]] bool operator()(shared_gcra& w, double now) noexcept
        {
            auto const before = w.tat;
            // A stamp that is yet to come is of a key that had this name before.
            if (static_cast<double>(back.stamp) <= now) w.give_back(back, now);
            return w.tat < before;
        }
    };

    struct known {
        std::uint64_t cluster = 0, created = 0, revision = 0;
        etcd_limit_state state = {};
        std::int64_t ahead = 0;  // the key's clock, less ours
        time_point used = {};
    };

    struct lease {
        std::uint64_t id = 0;
        time_point use_until = {};
    };

    struct counted {
        explicit counted(std::size_t& n) noexcept : count(++n) {}
        counted(counted const&) = delete;
        ~counted() { --count; }
        std::size_t& count;
    };

    [[nodiscard]] static std::int64_t micros_of(time_point t) noexcept
    {
        return t.time_since_epoch() / std::chrono::microseconds(1);
    }

    template <class Change>
    static asio::awaitable<answer> question(std::shared_ptr<etcd_limit_core> self, std::string key, Change change)
    {
        auto& c = *self;
        if (c.pending_ >= c.options_.max_pending) co_return c.failed(store_errc::unavailable, "too many questions");
        counted const one(c.pending_);
        auto const begin = c.wire_.now();
        std::string why;
        std::optional<known> there;
        if (auto const k = c.known_.find(key); k != c.known_.end()) there = k->second;
        bool fresh = false;  // `there` is what etcd said to this question
        for (unsigned tries = c.options_.tries; tries != 0; --tries) {
            auto const now = c.wire_.now();
            if (between(begin, now) >= c.options_.timeout) break;
            known next = there ? *there : known{.ahead = 1 - micros_of(now)};
            next.used = now;
            next.state.seen = std::max(
                next.state.seen, static_cast<std::uint64_t>(std::max<std::int64_t>(next.ahead + micros_of(now), 1)));
            auto const at = static_cast<double>(next.state.seen);
            bool const write = change(next.state.word, at);
            if (!write && fresh) co_return answer(boost::system::error_code(), change.grant);

            said heard;
            std::uint64_t under = 0;
            if (write) {
                auto const ttl = lifetime(micros(std::max(next.state.word.tat - at, 0.0)));
                heard = co_await c.lease_for(ttl, under);
                if (heard.ec) co_return c.failed(heard);
                auto body = write_etcd_swap(key, there ? there->revision : 0, write_etcd_limit(next.state), under);
                heard = co_await c.wire_.ask("/v3/kv/txn", std::move(body));
                if (heard.error.what == trouble::not_found) {  // the lease
                    std::erase_if(c.leases_, [&](auto const& l) { return l.second.id == under; });
                    continue;
                }
            } else {
                auto body = registry::detail::write_etcd_range(key, {});
                heard = co_await c.wire_.ask("/v3/kv/range", std::move(body));
            }
            if (heard.ec) co_return c.failed(heard);
            auto const got = write ? read_etcd_swap(heard.body, why) : read_etcd_one(heard.body, why);
            if (!got) co_return c.failed(store_errc::bad_answer, why);
            if (got->swapped) {
                next.cluster = got->cluster;
                next.revision = got->revision;
                if (!there) next.created = got->revision;
                c.remember(key, next);
                co_return answer(boost::system::error_code(), change.grant);
            }
            fresh = true;
            there.reset();
            if (!got->found) {
                c.known_.erase(key);
                continue;
            }
            auto const state = read_etcd_limit(got->found->value);
            if (!state) co_return c.failed(store_errc::refused, key + " is not a limit of weir");
            there = c.learn(key, *got, *state);
        }
        co_return c.failed(store_errc::unavailable, "others changed " + key + " each time");
    }

    known learn(std::string const& key, etcd_limit_answer const& got, etcd_limit_state const& state)
    {
        auto const now = wire_.now();
        known k{.cluster = got.cluster, .created = got.found->created, .revision = got.found->revision, .state = state};
        k.used = now;
        k.ahead = static_cast<std::int64_t>(state.seen) - micros_of(now) - 1;
        auto const before = known_.find(key);
        if (before != known_.end() && before->second.cluster == k.cluster && before->second.created == k.created)
            k.ahead = std::max(k.ahead, before->second.ahead);
        remember(key, k);
        return k;
    }

    void remember(std::string const& key, known const& k)
    {
        if (known_.size() >= options_.max_keys && !known_.contains(key)) {
            std::erase_if(known_,
                          [&](auto const& old) { return between(old.second.used, k.used) > std::chrono::minutes(1); });
            if (known_.size() >= options_.max_keys) known_.erase(known_.begin());
        }
        known_.insert_or_assign(key, k);
    }

    // Few different ones, so that keys share leases.
    [[nodiscard]] static std::uint64_t lifetime(micros debt) noexcept
    {
        constexpr std::uint64_t least = 128, most = 1ULL << 32;
        auto const seconds = std::min(debt.count() / 1e6, 1e9);
        return std::clamp(std::bit_ceil(2 * (static_cast<std::uint64_t>(seconds) + 4)), least, most);
    }

    asio::awaitable<said> lease_for(std::uint64_t ttl, std::uint64_t& id)
    {
        auto const now = wire_.now();
        if (auto const l = leases_.find(ttl); l != leases_.end() && now < l->second.use_until) {
            id = l->second.id;
            co_return said();
        }
        auto heard = co_await wire_.ask("/v3/lease/grant", registry::detail::write_etcd_grant(ttl));
        if (heard.ec) co_return heard;
        std::string why;
        auto const granted = registry::detail::read_etcd_lease(heard.body, why);
        if (!granted || granted->ttl < ttl) {
            heard.ec = make_error_code(errc::bad_document);
            heard.error.note = granted ? "a lease is shorter than was asked for" : why;
            co_return heard;
        }
        id = granted->id;
        leases_.insert_or_assign(ttl, lease{id, later(now, std::chrono::seconds(ttl / 2))});
        co_return heard;
    }

    answer failed(said const& s)
    {
        auto const is = [&](errc e) { return s.ec == boost::system::error_code(make_error_code(e)); };
        if (is(errc::registry_unavailable)) return failed(store_errc::unavailable, s.error.note);
        if (is(errc::registry_refused)) return failed(store_errc::refused, s.error.note);
        if (is(errc::bad_document)) return failed(store_errc::bad_answer, s.error.note);
        return {s.ec, permit_grant{}};
    }

    answer failed(store_errc e, std::string note)
    {
        std::scoped_lock const lock(mutex_);
        last_error_ = std::move(note);
        return {boost::system::error_code(std::error_code(e)), permit_grant{}};
    }

    asio::any_io_executor strand_;
    Wire wire_;
    etcd_store_options options_;
    std::unordered_map<std::string, known> known_;
    std::map<std::uint64_t, lease> leases_;  // by how long they last
    std::size_t pending_ = 0;
    mutable weir::mutex mutex_;
    std::string last_error_;
};

}  // namespace weir::detail
