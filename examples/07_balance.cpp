// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Where should the next call go? Round robin gives each endpoint its turn, well or ill. P2C peak-EWMA draws two and
// takes the one that answers faster with fewer calls in flight: a slow endpoint keeps little (of four, one pair in six
// is slow against failing, and there it wins), and one that fails at once, which looks fast to a naive balancer, keeps
// almost nothing. An update of the set keeps what is known of those that stay.
//
// Expected output:
//   share of 10000 calls            a      b   slow failing
//   round robin                  25.0   25.0   25.0   25.0
//   P2C peak-EWMA                41.2   41.9   16.9    0.0
//   the set loses b and slow, and gains two
//   P2C peak-EWMA                33.6    0.0    0.0    0.0  new: 33.4 33.0

#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/peak_ewma.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/core/gate.hpp>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

/// The outside world: "slow" takes five times as long as the others, "failing" refuses within a millisecond.
weir::outcome answer(weir::endpoint const& e)
{
    if (e.id == "failing") return weir::outcome::failure(1ms);
    return weir::outcome::success(e.id == "slow" ? 50ms : 10ms);
}

/// Ten thousand calls, one every 2 ms of simulated time. Returns the share of each endpoint in percent.
template <weir::balancer Balancer>
std::map<std::string, double> share(Balancer& balancer, weir::time_point& now)
{
    weir::random_engine random{7};  // a seed of our own, so that every run prints the same
    std::map<std::string, double> percent;
    std::multimap<weir::time_point, weir::lease> in_flight;
    for (int call = 0; call < 10'000; ++call, now += 2ms) {
        while (!in_flight.empty() && in_flight.begin()->first <= now) {
            auto& [end, lease] = *in_flight.begin();
            lease.record(answer(lease.endpoint()), end);
            in_flight.erase(in_flight.begin());
        }
        auto picked = balancer.pick(now, random, nullptr);
        if (!picked) continue;  // errc::no_endpoint: the set is empty
        percent[picked->endpoint().id] += 0.01;
        in_flight.emplace(now + answer(picked->endpoint()).latency, std::move(*picked));
    }
    return percent;
}

}  // namespace

int main()
{
    weir::endpoint_set inventory{{
        {.id = "a", .host = "10.0.0.1", .port = 8080},
        {.id = "b", .host = "10.0.0.2", .port = 8080},
        {.id = "slow", .host = "10.0.0.3", .port = 8080},
        {.id = "failing", .host = "10.0.0.4", .port = 8080},
    }};
    weir::round_robin in_turn{inventory};
    weir::peak_ewma best_of_two{inventory};
    weir::time_point now{1h};

    auto const print = [](char const* name, std::map<std::string, double> s, char const* end) {
        std::printf("%-26s %6.1f %6.1f %6.1f %6.1f%s", name, s["a"], s["b"], s["slow"], s["failing"], end);
    };
    std::printf("%-26s %6s %6s %6s %s\n", "share of 10000 calls", "a", "b", "slow", "failing");
    print("round robin", share(in_turn, now), "\n");
    print("P2C peak-EWMA", share(best_of_two, now), "\n");

    // This is what a registry's watch does when instances come and go.
    std::puts("the set loses b and slow, and gains two");
    inventory.update({
        {.id = "a", .host = "10.0.0.1", .port = 8080},
        {.id = "failing", .host = "10.0.0.4", .port = 8080},
        {.id = "c", .host = "10.0.0.5", .port = 8080},
        {.id = "d", .host = "10.0.0.6", .port = 8080},
    });
    auto after = share(best_of_two, now);
    print("P2C peak-EWMA", after, "");
    std::printf("  new: %.1f %.1f\n", after["c"], after["d"]);
}
