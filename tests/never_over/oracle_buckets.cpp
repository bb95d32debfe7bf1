// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Beside each limiter an oracle that decides the same in exact arithmetic: a million random decisions each, at the
// edges of the clock, of the numbers and of the quotas.

#include "never_over/exact_bucket.hpp"
#include "support/thorough.hpp"

#include <weir/limit/hierarchical_limit.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/striped_token_bucket.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/limit/warm_up.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <vector>

namespace {

using namespace never_over;
using namespace std::chrono_literals;
using generator = std::mt19937_64;

weir::time_point at(std::int64_t ns) { return weir::time_point{weir::duration{ns}}; }
std::int64_t count(weir::time_point t) { return t.time_since_epoch().count(); }

/// From 1 to `most`, every magnitude as likely as the others.
std::uint64_t any_size(generator& g, std::uint64_t most)
{
    auto const x = std::exp2(static_cast<double>(g() % 1'000'000) * 1e-6 * std::log2(static_cast<double>(most)));
    return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(x) + (g() % 3 == 0 ? 1 : 0), 1, most);
}

weir::rate any_rate(generator& g)
{
    auto const per = any_size(g, 31'536'000'000'000'000);
    switch (g() % 6) {
        case 0: return weir::per_second(any_size(g, 1'000'000'000));
        case 1: return {1, weir::duration{static_cast<std::int64_t>(per)}};
        case 2: return {1'000'000'000, 1s};
        case 3: return {999'999'937, 1s};
        default: return {any_size(g, per), weir::duration{static_cast<std::int64_t>(per)}};
    }
}

std::uint64_t any_burst(generator& g) { return g() % 20 == 0 ? 0 : any_size(g, 1'000'000'000); }

/// Requests of all sizes, among them those that no burst can meet.
std::uint64_t any_n(generator& g, std::uint64_t burst)
{
    switch (g() % 16) {
        case 0: return 0;
        case 1: return burst;
        case 2: return burst + 1;
        case 3: return burst / 2 + 1;
        case 4: return UINT64_MAX;
        case 5: return std::uint64_t{1} << (g() % 64);
        case 6: return any_size(g, burst + 1);
        default: return 1;
    }
}

/// A clock that runs, jumps over idle times of all lengths, and at times steps back. It stays away from its ends.
struct any_clock {
    explicit any_clock(generator& g)
    {
        constexpr std::int64_t starts[] = {0,
                                           1,
                                           1'000'000'000'000'000,
                                           31'557'600'000'000'000,
                                           -1'000'000'000,
                                           INT64_MIN / 2,
                                           INT64_MIN + 1'000'000'000'000,
                                           4'000'000'000'000'000'000};
        now = newest = starts[g() % std::size(starts)];
    }
    void go_on(generator& g, exact_bucket const& b, bool may_step_back = true)
    {
        auto const permit = b.permit() / b.earns();
        auto const room = INT64_MAX - 1'000'000'000'000 - std::max<std::int64_t>(now, 0);
        std::int64_t step = 0;
        switch (g() % 64) {
            case 0: step = static_cast<std::int64_t>(any_size(g, 200'000'000'000'000'000)); break;
            case 1:
                if (may_step_back && now > INT64_MIN + 2'000'000'000)
                    step = -static_cast<std::int64_t>(any_size(g, 1'000'000'000));
                break;
            case 2:
                step = static_cast<std::int64_t>(std::min(b.full() / b.earns(), int128{200'000'000'000'000'000}));
                break;
            default: step = static_cast<std::int64_t>(g() % static_cast<std::uint64_t>(2 * permit + 3));
        }
        now += std::min(step, room);
        back = now < newest;
        newest = std::max(newest, now);
    }
    std::int64_t now = 0;
    std::int64_t newest = 0;
    bool back = false;
};

/// Whether the limiter counts this quota in parts that are not rounded; else it is slower, by less than 3e-7.
bool counted_exactly(weir::rate r, std::uint64_t burst)
{
    weir::detail::gcra_rate const counted{r, burst, "oracle"};
    exact_bucket const b{r, burst};
    return counted.mul == b.earns() && counted.shift == 0 && counted.interval == b.permit();
}

constexpr int128 the_end = INT64_MAX;          // of the clock
constexpr int128 most_debt = int128{1} << 54;  // in parts; there are no reservations further ahead

/// What rounding can have cost in all, in permits. It is forgotten when the bucket is full.
struct slack {
    double permits = 0;
    bool exact = true;
    void took(std::uint64_t n)
    {
        if (!exact) permits += 4e-7 * static_cast<double>(n) + 1e-6;
    }
    [[nodiscard]] int128 parts(exact_bucket const& b) const
    {
        return static_cast<int128>(permits * static_cast<double>(b.permit()) * 1.001) + (exact ? 0 : b.earns() + 1);
    }
};

template <class Limiter>
typename Limiter::options options_of(weir::rate r, std::uint64_t burst)
{
    typename Limiter::options o;
    o.rate = r;
    o.burst = burst;
    return o;
}

/// One quota, and a few thousand decisions.
template <class Limiter>
void beside_the_oracle(generator& g, std::uint64_t least_burst)
{
    auto r = any_rate(g);
    auto burst = std::max(any_burst(g), least_burst);
    CAPTURE(r.permits);
    CAPTURE(r.per.count());
    CAPTURE(burst);
    Limiter limiter{options_of<Limiter>(r, burst)};
    exact_bucket oracle{r, burst};
    slack lost{0, counted_exactly(r, burst)};
    any_clock clock{g};

    for (int i = 0; i < 2'000; ++i) {
        CAPTURE(i);
        clock.go_on(g, oracle, lost.exact);  // a slower rate owes less at an earlier time
        auto const now = clock.now;
        CAPTURE(now);
        if (!clock.back && oracle.debt(now) + lost.parts(oracle) < 0) lost.permits = 0;
        auto const n = any_n(g, burst);
        CAPTURE(n);
        auto const before = oracle;
        // Never ahead; and never behind, but for what was rounded and while the clock is back.
        auto const judge = [&](bool admitted, std::int64_t wait) {
            auto const may = oracle.fits(n, now, wait);
            if (admitted) {
                REQUIRE(may);
            } else if (!clock.back && n <= burst) {
                auto const debt = oracle.debt_with(n, now);
                auto const beyond = debt + lost.parts(oracle) > oracle.full() + int128{wait} * oracle.earns();
                REQUIRE((!may || (!lost.exact && beyond) || debt >= most_debt));
            }
        };
        switch (g() % 16) {
            case 0: {
                if (!lost.exact) break;
                // Other rates and bursts that are counted exactly too.
                auto const next = any_rate(g);
                auto const next_burst = std::max(any_burst(g), least_burst);
                if (clock.back || !counted_exactly(next, next_burst)) break;
                auto changed = oracle;
                changed.reconfigure(next, next_burst, now);
                if (changed.debt(now) > most_debt) break;  // a debt of months is cut short
                limiter.reconfigure(options_of<Limiter>(next, next_burst), at(now));
                oracle = changed;
                r = next, burst = next_burst;
                break;
            }
            case 1:
            case 2: {
                auto const wait = static_cast<std::int64_t>(any_size(g, 1'000'000'000));
                auto a = limiter.reserve(n, weir::duration{wait}, at(now));
                judge(static_cast<bool>(a), wait);
                if (!a) {
                    if (n > burst && !clock.back) {
                        REQUIRE(a.refused().retry_at == weir::never);
                    } else if (lost.exact && !clock.back && oracle.debt_with(n, now) < most_debt) {
                        REQUIRE(count(a.refused().retry_at) == std::min(oracle.retry_at(n, now, wait), the_end));
                    }
                    break;
                }
                oracle.take(n, now);
                if (lost.exact && n != 0) REQUIRE(count(a->start_at()) == std::min(oracle.start(now), the_end));
                if (n != 0) REQUIRE(count(a->start_at()) >= std::min(oracle.start(now), the_end));
                if (g() % 2 == 0) {
                    REQUIRE(a->cancel() == (n != 0));
                    oracle = before;
                } else {
                    a->record(weir::outcome::success(), at(now));
                    lost.took(n);
                }
                break;
            }
            case 3:
                if constexpr (requires { limiter.available(at(now)); }) {
                    auto const left = limiter.available(at(now));
                    REQUIRE(left <= oracle.available(now));
                    if (lost.exact && !clock.back) REQUIRE(left == oracle.available(now));
                }
                break;
            case 4:
                if constexpr (requires { limiter.drain(at(now)); }) {
                    if (g() % 16 != 0 || clock.back || !lost.exact) break;
                    limiter.drain(at(now));
                    oracle.drain(now);
                }
                break;
            default:
                bool const admitted = limiter.try_acquire(n, at(now));
                judge(admitted, 0);
                if (admitted) {
                    oracle.take(n, now);
                    lost.took(n);
                }
        }
    }
}

struct manual {
    std::int64_t const* time;
    [[nodiscard]] weir::time_point now() const noexcept { return at(*time); }
};

}  // namespace

TEST_CASE("token_bucket: a million decisions as exact arithmetic has them")
{
    generator g{1};
    for (int quota = 0; quota < 500; ++quota) {
        CAPTURE(quota);
        beside_the_oracle<weir::token_bucket>(g, 0);
    }
}

TEST_CASE("leaky_bucket: a million decisions as exact arithmetic has them")
{
    generator g{2};
    for (int quota = 0; quota < 500; ++quota) {
        CAPTURE(quota);
        beside_the_oracle<weir::leaky_bucket>(g, 1);
    }
}

TEST_CASE("hierarchical_limit: a million decisions of all levels or of none, as exact arithmetic has them")
{
    generator g{7};
    for (int quota = 0; quota < weir::test::thorough(250); ++quota) {
        CAPTURE(quota);
        auto const exact_rate = [&](std::uint64_t burst) {
            for (;;)
                if (auto const r = any_rate(g); counted_exactly(r, burst)) return r;
        };
        std::uint64_t const bursts[] = {any_burst(g), any_burst(g), any_burst(g)};
        weir::rate const rates[] = {exact_rate(bursts[0]), exact_rate(bursts[1]), exact_rate(bursts[2])};
        std::vector<weir::token_bucket> levels;
        std::vector<exact_bucket> oracles;
        for (int i : {0, 1, 2}) {
            levels.emplace_back(weir::token_bucket_options{.rate = rates[i], .burst = bursts[i], .lease = {}});
            oracles.emplace_back(rates[i], bursts[i]);
        }
        weir::hierarchical_limit limits(levels[0], levels[1], levels[2]);
        any_clock clock{g};
        for (int i = 0; i < 4'000; ++i) {
            CAPTURE(i);
            clock.go_on(g, oracles[g() % 3], true);
            auto const n = any_n(g, bursts[g() % 3]);
            auto const all = [&](auto const& holds) { return std::all_of(oracles.begin(), oracles.end(), holds); };
            bool const may = all([&](exact_bucket const& b) { return b.fits(n, clock.now); });
            bool const sure =
                !clock.back && all([&](exact_bucket const& b) { return b.debt_with(n, clock.now) < most_debt; });
            auto a = limits.admit(n, at(clock.now));
            if (a || sure) REQUIRE(static_cast<bool>(a) == may);
            if (!a) continue;
            if (g() % 4 == 0) {
                REQUIRE(a->cancel() == (n != 0));
            } else {
                a->record(weir::outcome::success(), at(clock.now));
                for (auto& b : oracles) b.take(n, clock.now);
            }
        }
    }
}

TEST_CASE("token_bucket: a million decisions with leases, never ahead of exact arithmetic, nor a lease behind it")
{
    generator g{3};
    std::uint64_t leased = 0;
    for (int quota = 0; quota < 250; ++quota) {
        CAPTURE(quota);
        weir::rate const r =
            g() % 4 == 0 ? weir::rate{999'999'937, 1s} : weir::per_second(100'000 + any_size(g, 999'000'000));
        auto const burst = 16 + any_size(g, 1'000'000);
        std::int64_t now = 1'000'000'000;
        weir::basic_token_bucket<manual> limiter{{.rate = r, .burst = burst}, manual{&now}};
        auto const lease = static_cast<std::uint64_t>(
            weir::detail::gcra_rate{r, burst, "oracle"}.leasing(20us, static_cast<std::int64_t>(burst / 8)).lease);
        leased += lease;
        exact_bucket oracle{r, burst};
        slack lost{0, counted_exactly(r, burst)};
        auto const permit = 1e9 * static_cast<double>(oracle.permit()) / static_cast<double>(oracle.earns()) / 1e9;
        for (int i = 0; i < 4'000; ++i) {
            CAPTURE(i);
            now += static_cast<std::int64_t>(static_cast<double>(g() % 1000) * 2e-3 * permit + 0.5);
            if (g() % 512 == 0) now += static_cast<std::int64_t>(any_size(g, 10'000'000'000));
            auto const n = g() % 8 == 0 ? any_n(g, burst) : 1;
            CAPTURE(n);
            bool const admitted = g() % 8 == 0 ? limiter.try_acquire(n, at(now)) : limiter.try_acquire(n);
            if (admitted) {
                REQUIRE(oracle.fits(n, now));
                oracle.take(n, now);
                lost.took(n);
            } else if (n <= burst) {
                // What overflowed while permits lay in the lease is missing: at most a lease, since it was last full.
                auto const missing = oracle.full() - oracle.debt_with(n, now);
                REQUIRE(missing <= int128{lease} * oracle.permit() + lost.parts(oracle));
            }
        }
    }
    CHECK(leased > 1000);
}

TEST_CASE("striped_token_bucket: a million decisions, never ahead of exact arithmetic")
{
    generator g{8};
    std::uint64_t permits = 0;
    for (int quota = 0; quota < weir::test::thorough(500); ++quota) {
        CAPTURE(quota);
        auto const r = any_rate(g);
        auto const burst = any_burst(g);
        CAPTURE(r.permits);
        CAPTURE(r.per.count());
        CAPTURE(burst);
        any_clock clock{g};
        weir::basic_striped_token_bucket<manual> limiter{{.rate = r, .burst = burst, .stripes = 1u << g() % 4},
                                                         manual{&clock.now}};
        exact_bucket oracle{r, burst};
        for (int i = 0; i < 2'000; ++i) {
            CAPTURE(i);
            clock.go_on(g, oracle, false);
            CAPTURE(clock.now);
            auto const n = any_n(g, burst);
            CAPTURE(n);
            bool const admitted = g() % 2 == 0 ? limiter.try_acquire(n, at(clock.now)) : limiter.try_acquire(n);
            if (!admitted) continue;
            REQUIRE(oracle.fits(n, clock.now));
            oracle.take(n, clock.now);
            permits += n;
        }
    }
    CHECK(permits > 100'000);
}

TEST_CASE("warm_up: a million decisions, never ahead of exact arithmetic")
{
    generator g{4};
    for (int quota = 0; quota < 500; ++quota) {
        CAPTURE(quota);
        auto const r = any_rate(g);
        auto const burst = any_size(g, 1'000'000);
        weir::warm_up limiter{{.rate = r,
                               .warm_up = weir::duration{static_cast<std::int64_t>(any_size(g, 86'400'000'000'000))},
                               .cold_factor = static_cast<std::uint32_t>(1 + g() % 100),
                               .burst = burst}};
        exact_bucket oracle{r, burst};
        any_clock clock{g};
        for (int i = 0; i < 2'000; ++i) {
            clock.go_on(g, oracle, counted_exactly(r, burst));
            auto const n = any_n(g, burst);
            if (!limiter.try_acquire(n, at(clock.now))) continue;
            REQUIRE(oracle.fits(n, clock.now));
            oracle.take(n, clock.now);
        }
    }
}

namespace {

/// Keys beside as many oracles. In parts of a permit, `unit` of which a reading of the clock may be early.
template <class Policy>
void keys_beside_oracles(generator& g, weir::rate r, std::uint64_t burst)
{
    CAPTURE(r.permits);
    CAPTURE(r.per.count());
    CAPTURE(burst);
    weir::keyed_limiter_options const o{.quotas = {{r, burst}}, .capacity = 4'000, .seed = g()};
    weir::keyed_limiter<std::uint64_t, Policy> limiter{o};
    auto const scale = weir::detail::keyed_scale<typename Policy::bucket>::of(o);
    std::map<std::uint64_t, exact_bucket> oracles;
    std::int64_t now = 1'000'000'000'000'000;
    for (int i = 0; i < 20'000; ++i) {
        CAPTURE(i);
        auto const key = g() % 100;
        auto& oracle = oracles.try_emplace(key, r, burst).first->second;
        now += static_cast<std::int64_t>(g() % static_cast<std::uint64_t>(oracle.permit() / oracle.earns() / 8 + 2));
        if (g() % 1000 == 0) now += static_cast<std::int64_t>(any_size(g, 3'600'000'000'000));
        auto const n = g() % 4 == 0 ? any_n(g, burst) : 1;
        auto const early = int128{(oracle.permit() >> scale) + 1};
        auto const spare = n > burst ? int128{-1} : oracle.full() - oracle.debt_with(n, now);
        if (limiter.try_acquire(key, n, at(now))) {
            REQUIRE((n == 0 || spare >= -early));
            oracle.take(n, now);
        } else {
            // Late by at most that much for each time it has been rounded since the key was last at rest.
            REQUIRE((n > burst || spare <= early * (1 + static_cast<int128>(burst))));
        }
    }
    REQUIRE(limiter.forced_evictions() == 0);
}

}  // namespace

TEST_CASE("keyed_limiter: a million decisions beside as many oracles as keys")
{
    generator g{5};
    for (int quota = 0; quota < 50; ++quota) {
        CAPTURE(quota);
        keys_beside_oracles<weir::exact_keys>(g, any_rate(g), any_size(g, 1'000'000));
    }
}

TEST_CASE("keyed_limiter, compact: a million decisions beside as many oracles as keys")
{
    generator g{6};
    for (int quota = 0; quota < 50; ++quota) {
        CAPTURE(quota);
        keys_beside_oracles<weir::compact_keys>(g, weir::per_second(any_size(g, 9'000)), any_size(g, 10'000));
    }
}
