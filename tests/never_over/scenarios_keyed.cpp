// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/scenario.hpp"

#include <weir/limit/keyed_limiter.hpp>

#include <map>

namespace never_over {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t us = 1'000;
constexpr std::int64_t t0 = 1'000'000 * us;

struct standing {
    [[nodiscard]] static weir::time_point now() noexcept { return at(t0); }
};

/// A table so small that all keys meet in the same places; one permit per key and 160 us.
template <class Policy>
struct table {
    weir::basic_keyed_limiter<std::uint64_t, Policy, standing> limiter{
        {.quotas = {{{1, 160us}, 1}}, .capacity = 1, .seed = 1}};
    std::vector<admitted> events;

    void take(std::uint32_t key, std::int64_t now)
    {
        if (limiter.try_acquire(key, 1, at(now))) events.push_back({now, now, 1, key});
    }
    std::string end()
    {
        if (limiter.forced_evictions() != 0) return "forced out";  // no scenario has so many keys in debt
        std::map<std::uint32_t, std::vector<admitted>> keys;
        for (auto const& e : events) keys[e.key].push_back(e);
        for (auto const& [key, h] : keys)
            if (auto wrong = over(h, allowance{{1, 160us}}, 1); !wrong.empty())
                return "key " + std::to_string(key) + ' ' + wrong;
        return {};
    }
};

/// A key that nobody has asked for yet gets in once, whoever is first to enter it.
template <class Policy>
struct inserts : table<Policy> {
    void thread(unsigned i)
    {
        this->take(7, t0);
        this->take(i == 0 ? 8 : 7, t0 + 30 * us);
    }
    std::string end()
    {
        if (this->events.size() != 2) return std::to_string(this->events.size()) + " admitted, of two keys";
        return table<Policy>::end();
    }
};

/// Keys at rest, in every place of the table, make room for others while somebody asks for them again.
template <class Policy>
struct takeovers : table<Policy> {
    takeovers()
    {
        for (std::uint32_t key = 100; key < 200; ++key) this->take(key, t0 + (std::int64_t{key} - 201) * 160 * us);
        this->events.clear();
    }
    void thread(unsigned i)
    {
        if (i == 0) {
            this->take(199, t0), this->take(1, t0);
        } else {
            this->take(i == 1 ? 199 : 2, t0), this->take(1, t0 + 20 * us);
        }
    }
};

/// A cancel never reaches another key that has taken over the place.
template <class Policy>
struct cancelled : table<Policy> {
    void thread(unsigned i)
    {
        if (i != 0) {
            this->take(7, t0 + 10 * us);
            this->take(i == 1 ? 7 : 8, t0 + 200 * us);
            return;
        }
        auto a = this->limiter.reserve(7, 1, 0ns, at(t0));
        if (a && !a->cancel()) this->events.push_back({t0, t0, 1, 7});
    }
};

/// A rate that changes: a key's debt stays, in permits.
template <class Policy>
struct changed : table<Policy> {
    void thread(unsigned i)
    {
        if (i == 0) {
            this->limiter.reconfigure({.quotas = {{{1, 320us}, 1}}}, at(t0));
            this->limiter.reconfigure({.quotas = {{{1, 160us}, 1}}}, at(t0));
        } else {
            this->take(7, t0), this->take(7, t0 + 10 * us);
        }
    }
};

/// A table whose clock is a step like any other, and whose rate changes from 1 per 10 us to 1 per 160 us or back.
template <class Policy>
struct flipped {
    static constexpr weir::rate fast{1, 10us}, slow{1, 160us};

    explicit flipped(weir::rate r) : limiter{{.quotas = {{r, 2}}, .capacity = 1, .seed = 1}, {}, {&time}} {}

    void take(std::uint32_t key, std::uint32_t n)
    {
        auto const now = time.load();
        if (limiter.try_acquire(key, n, at(now))) events.push_back({now, now, n, key});
    }
    void change(weir::rate r)
    {
        auto const from = time.load();
        limiter.reconfigure({.quotas = {{r, 2}}});
        flips.push_back({from, time.load(), per_160(r)});
    }
    std::string end(weir::rate first)
    {
        std::vector<admitted> of_key;
        for (auto const& e : events)
            if (e.key == 7) of_key.push_back(e);
        auto const wrong = over(of_key, with_flips(per_160(first), flips, {}), 2);
        return wrong.empty() && limiter.forced_evictions() != 0 ? "forced out" : wrong;
    }

    weir::atomic<std::int64_t> time{t0};
    weir::basic_keyed_limiter<std::uint64_t, Policy, stepping_clock> limiter;
    std::vector<flip> flips;
    std::vector<admitted> events;

private:
    static weir::rate per_160(weir::rate r) { return {static_cast<std::uint64_t>(160us / r.per), 160us}; }
};

/// Whoever has read the clock between two changes of the rate is not judged by the rate before both.
template <class Policy>
struct changed_twice : flipped<Policy> {
    using base = flipped<Policy>;
    changed_twice() : base(base::fast) { this->take(1, 1); }
    void thread(unsigned i)
    {
        if (i == 0) {
            this->change(base::slow);
            this->time.store(t0 + 40 * us);
            this->change(base::slow);
        } else {
            this->take(7, 2);
            this->take(7, 2);
        }
    }
    std::string end() { return base::end(base::fast); }
};

/// And whoever has read it before a change finds the debt of a key that came, spent and left after it.
template <class Policy>
struct left_since : flipped<Policy> {
    using base = flipped<Policy>;
    left_since() : base(base::slow) { this->take(1, 1); }
    void thread(unsigned i)
    {
        if (i != 0) return this->take(7, 1);
        this->change(base::fast);
        constexpr auto others = 2 * Policy::bucket::size - 1;  // one place is the first key's
        for (std::uint32_t key = 7; key < 7 + others; ++key) {
            this->take(key, 2);
            this->time.store(t0 + 5 * us);  // 7 is among the first to make room
        }
        this->time.store(t0 + 30 * us);
        for (std::uint32_t key = 100; key < 100 + others; ++key) this->take(key, 2);
    }
    std::string end() { return base::end(base::slow); }
};

// Three threads with few preemptions, and two with more: an admission takes some eighty steps.
template <class Policy>
void add(std::vector<scenario>& all, std::string const& name)
{
    all.push_back(make_scenario<inserts<Policy>>(name + ": a new key", 3, 1));
    all.push_back(make_scenario<takeovers<Policy>>(name + ": keys take over", 3, 1));
    all.push_back(make_scenario<cancelled<Policy>>(name + ": cancelled", 3, 1));
    all.push_back(make_scenario<changed<Policy>>(name + ": the rate changes", 3, 1));
    all.push_back(make_scenario<changed_twice<Policy>>(name + ": the rate changes twice", 2, 2));
    all.push_back(make_scenario<left_since<Policy>>(name + ": the rate changes, and a key has left", 2, 1));
    all.push_back(make_scenario<cancelled<Policy>>(name + ": cancelled, two threads", 2, 2));
}

scenarios const of_keyed{[](std::vector<scenario>& all) {
    using weir::exact_keys;
    add<exact_keys>(all, "keyed_limiter");
    all.push_back(make_scenario<inserts<exact_keys>>("keyed_limiter: a new key, two threads", 2, 2));
    all.push_back(make_scenario<takeovers<exact_keys>>("keyed_limiter: keys take over, two threads", 2, 2));
    all.push_back(make_scenario<inserts<weir::compact_keys>>("keyed_limiter, compact: a new key, two threads", 2, 2));
    add<weir::compact_keys>(all, "keyed_limiter, compact");
}};

}  // namespace
}  // namespace never_over
