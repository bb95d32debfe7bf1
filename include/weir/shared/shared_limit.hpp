// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/shared/detail/lease_terms.hpp>
#include <weir/shared/detail/shared_core.hpp>
#include <weir/shared/detail/shared_key.hpp>
#include <weir/shared/limit_store.hpp>
#include <weir/shared/shared_gate.hpp>
#include <weir/shared/shared_limit_options.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace weir {

/// What a shared limit has done so far, in permits unless it says otherwise.
struct shared_limit_status {
    std::uint64_t questions = 0;  ///< asked of the store
    std::uint64_t granted = 0;    ///< by the store, in time
    std::uint64_t refusals = 0;   ///< answers of the store that granted nothing
    std::uint64_t refused = 0;    ///< to callers
    std::uint64_t admitted_without_store = 0;
    std::uint64_t given_back = 0;
    std::uint64_t ended = 0;         ///< held until they ended, and not given back
    std::uint64_t store_errors = 0;  ///< questions
    std::uint64_t late_answers = 0;  ///< questions
    std::uint64_t keys_refused = 0;  ///< calls of `of` above max_keys
    std::size_t keys = 0;            ///< known now
    duration without_store{};        ///< time for which decisions were the fallback's
    bool on_fallback = false;        ///< they are now, for a shard at least
};

/// One limit for many processes, through a store that all of them can reach: each leases permits ahead, so a decision
/// usually is a subtraction, and no I/O.
///
///   weir::redis_store store(io.get_executor(), {.servers = {{.host = "10.0.0.5"}}});
///   weir::shared_limit limit(io.get_executor(), store, {.rate = weir::per_second(5000), .burst = 500, .nodes = 4});
///   co_await limit.async_acquire(1, asio::use_awaitable);         // asks the store where there is no lease
///   if (limit.of(tenant).try_acquire()) ...                       // a limit for each tenant, of the same size
///
/// Bound: of all processes together, admitted <= rate * t + burst + min(rate * hold, nodes * lease) in every window t
/// (`options::excess()`); never more than rate * t + burst since the beginning; `strict` takes the excess off the
/// burst. Why: what the store grants, less what comes back, is within rate * t + burst (detail/shared_gcra.hpp); what
/// is used in a window was granted in it or in the `hold` before, and of what was granted before it, each process held
/// `lease` at most. An answer that came too late to be waited for is given back, not used.
///
/// try_acquire, admit: from the lease, at once. Without one they are refused, and the store is asked for the next
///          caller: for a key asked less often than once per `hold`, use async_acquire.
/// async_acquire: waits for the store, acquire_timeout at most; first come, first served, one question for all. With
///          a `max_wait` also for permits. Signature: void(boost::system::error_code). Cancellation: all types;
///          nothing is spent. Executor: this one's, handlers on their own.
/// Refuses: errc::rate_limited, retry_at when asking again can help; errc::exceeds_burst where n is above the lease:
///          never; errc::too_many_calls above max_waiting or max_keys; errc::stopped.
/// Store gone: `when_gone` decides, acquire_timeout after the question at the latest; leases are spent until they end.
/// Throws:  constructor and reconfigure only, std::invalid_argument.
/// Threads: everything, from any thread. Lifetimes: the store and the context outlive it; calls that wait end with it.
/// Cost:    from the lease, a reading of the clock and a compare-exchange; `of` is a look-up under a lock, so keep what
///          it gives. No allocation but for questions and waits.
/// Seen in: examples/33_shared_limit.cpp
template <limit_store Store>
class shared_limit {
public:
    using options = shared_limit_options;
    using status = shared_limit_status;
    using token = shared_permit;
    using executor_type = asio::any_io_executor;
    using gate = shared_gate;

    shared_limit(executor_type executor, Store& store, options const& o = {});
    shared_limit(shared_limit const&) = delete;
    shared_limit& operator=(shared_limit const&) = delete;
    ~shared_limit() { stop(); }

    [[nodiscard]] bool try_acquire(std::uint64_t n = 1) noexcept { return all_.try_acquire(n); }
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now) noexcept { return all_.try_acquire(n, now); }

    /// One permit for one call, now.
    admission<token> admit(time_point now) noexcept { return all_.admit(now); }

    template <class Token>
    auto async_acquire(std::uint64_t n, Token&& completion)
    {
        return all_.async_acquire(n, std::forward<Token>(completion));
    }
    template <class Token>
    auto async_acquire(std::uint64_t n, duration max_wait, Token&& completion)
    {
        return all_.async_acquire(n, max_wait, std::forward<Token>(completion));
    }

    /// The limit of one key: of a tenant, an address. The same options, and permits of its own.
    [[nodiscard]] gate of(std::string_view key);

    /// Leases, refusals and debts stay. In the store a full debt stays full; a window across the change may see one
    /// burst more. Name, max_keys and seed stay as they are.
    void reconfigure(options const& o);

    /// How many processes share it, as a registry tells it: counts for the fallback, the lease and a strict burst.
    void set_nodes(std::uint64_t nodes);

    /// Gives back what is held, and ends those who wait with errc::stopped. Nothing is asked after it.
    void stop() noexcept;

    [[nodiscard]] status get_status() const;
    [[nodiscard]] std::uint64_t held(time_point now) const noexcept { return all_.held(now); }
    [[nodiscard]] options get_options() const;
    [[nodiscard]] std::string_view name() const noexcept { return name_; }
    [[nodiscard]] executor_type const& get_executor() const noexcept { return core_->executor; }

private:
    using key_pointer = std::shared_ptr<detail::shared_key>;
    using recent = std::list<std::pair<std::string, key_pointer>>;  // the one used last is the first

    class port;
    struct hash : std::hash<std::string_view> {
        using is_transparent = void;
    };

    void use(options const& o);

    std::string const name_;
    std::shared_ptr<detail::shared_core> core_;
    std::shared_ptr<detail::lease_terms const> terms_;  // a writer at a time; under the lock
    key_pointer own_;
    gate all_;
    mutable weir::mutex mutex_;
    recent recent_;
    std::unordered_map<std::string_view, typename recent::iterator, hash, std::equal_to<>> keys_;
};

// Bodies

template <limit_store Store>
class shared_limit<Store>::port final : public detail::store_port {
public:
    port(Store& s, executor_type e) : store_(s), executor_(std::move(e)) {}

    void acquire(permit_request const& r, key_pointer key, std::uint64_t id) override
    {
        store_.async_acquire(r, asio::bind_executor(executor_, [key = std::move(key), id](boost::system::error_code ec,
                                                                                          permit_grant const& g) {
                                 key->answered(id, ec, g);
                             }));
    }
    void give_back(permit_return const& r) override
    {
        store_.async_give_back(r, asio::bind_executor(executor_, [](boost::system::error_code) {}));
    }
    [[nodiscard]] std::size_t shards() const override
    {
        if constexpr (requires(Store& s) { s.shards(); })
            return store_.shards();
        else
            return 1;
    }
    [[nodiscard]] std::size_t shard_of(std::string const& key) const override
    {
        if constexpr (requires(Store& s) { s.shard_of(key); })
            return store_.shard_of(key);
        else
            return 0;
    }

private:
    Store& store_;
    executor_type executor_;
};

template <limit_store Store>
shared_limit<Store>::shared_limit(executor_type executor, Store& store, options const& o)
    : name_(o.name),
      core_(std::make_shared<detail::shared_core>(executor, std::make_unique<port>(store, executor), (o.check(), o))),
      terms_(std::make_shared<detail::lease_terms const>(o)),
      own_(std::make_shared<detail::shared_key>(core_, name_, terms_)),
      all_(key_pointer(key_pointer(), own_.get()), name_)  // not counted: it lives as long as this
{
}

template <limit_store Store>
shared_gate shared_limit<Store>::of(std::string_view key)
{
    std::scoped_lock const lock(mutex_);
    if (auto const found = keys_.find(key); found != keys_.end()) {
        recent_.splice(recent_.begin(), recent_, found->second);
        return {found->second->second, name_};
    }
    if (keys_.size() >= terms_->options.max_keys) {
        // One that nobody holds, and that knows nothing: looked for among those not used for long.
        auto const now = core_->now();
        auto i = recent_.end();
        for (int looked = 0; looked < 16 && i != recent_.begin(); ++looked) {
            --i;
            if (i->second.use_count() != 1 || !i->second->forgettable(now)) continue;
            keys_.erase(i->first);
            recent_.erase(i);
            break;
        }
        if (keys_.size() >= terms_->options.max_keys) {
            core_->count.keys_refused.fetch_add(1, std::memory_order_relaxed);
            return {own_, name_, true};
        }
    }
    auto made = std::make_shared<detail::shared_key>(core_, name_ + ':' + std::string(key), terms_);
    recent_.emplace_front(std::string(key), std::move(made));
    keys_.emplace(recent_.front().first, recent_.begin());
    return {recent_.front().second, name_};
}

template <limit_store Store>
void shared_limit<Store>::reconfigure(options const& o)
{
    std::scoped_lock const lock(mutex_);
    use(o);
}

template <limit_store Store>
void shared_limit<Store>::set_nodes(std::uint64_t nodes)
{
    std::scoped_lock const lock(mutex_);
    auto o = terms_->options;
    o.nodes = nodes;
    use(o);
}

template <limit_store Store>
void shared_limit<Store>::use(options const& o)
{
    auto next = o;
    next.name = name_;
    next.max_keys = terms_->options.max_keys;
    terms_ = std::make_shared<detail::lease_terms const>(next);
    auto const now = core_->now();
    for (auto const& h : core_->health) h->set(o.patience, o.probe_every);
    own_->use(terms_, now);
    for (auto const& k : recent_) k.second->use(terms_, now);
}

template <limit_store Store>
shared_limit_options shared_limit<Store>::get_options() const
{
    std::scoped_lock const lock(mutex_);
    return terms_->options;
}

template <limit_store Store>
void shared_limit<Store>::stop() noexcept
{
    if (core_->stopped.exchange(true)) return;
    std::scoped_lock const lock(mutex_);
    own_->stop();
    for (auto const& k : recent_) k.second->stop();
}

template <limit_store Store>
shared_limit_status shared_limit<Store>::get_status() const
{
    auto const& c = core_->count;
    auto const now = core_->now();
    status s{.questions = c.questions.load(),
             .granted = c.granted.load(),
             .refusals = c.refusals.load(),
             .refused = c.refused.load(),
             .admitted_without_store = c.local.load(),
             .given_back = c.given_back.load(),
             .ended = c.ended.load(),
             .store_errors = c.errors.load(),
             .late_answers = c.late.load(),
             .keys_refused = c.keys_refused.load()};
    for (auto const& h : core_->health) {
        s.without_store = std::max(s.without_store, h->away(now));
        s.on_fallback = s.on_fallback || h->look().what != detail::store_health::standing::well;
    }
    std::scoped_lock const lock(mutex_);
    s.keys = keys_.size();
    return s;
}

}  // namespace weir
