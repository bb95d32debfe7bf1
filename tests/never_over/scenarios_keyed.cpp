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

// Three threads with few preemptions, and two with more: an admission takes some eighty steps.
template <class Policy>
void add(std::vector<scenario>& all, std::string const& name)
{
    all.push_back(make_scenario<inserts<Policy>>(name + ": a new key", 3, 1));
    all.push_back(make_scenario<takeovers<Policy>>(name + ": keys take over", 3, 1));
    all.push_back(make_scenario<cancelled<Policy>>(name + ": cancelled", 3, 1));
    all.push_back(make_scenario<changed<Policy>>(name + ": the rate changes", 3, 1));
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
