// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A limit for every client: each key has its own token bucket, in a table whose size is fixed at the start. A client
// who owes nothing takes no room, so nobody has to register, expire or clean up. IPv6 clients are counted by their /64,
// which is what one of them has to himself.
//
// Expected output:
//   203.0.113.7 asks 5 times: 3 admitted, 2 refused; come back in 500 ms
//   ::ffff:203.0.113.7 is the same client: refused
//   2001:db8::1 asks 5 times: 3 admitted, 2 refused; come back in 500 ms
//   2001:db8::2 is in the same /64: refused
//   2001:db8:0:1::1 is not: admitted
//   after a second 203.0.113.7 has 2 permits
//   a request of the paying client, who may burst to 100: admitted
//   a batch of 1000 new clients: 1000 admitted
//   memory: 24 bytes per client of capacity; 10 with compact_keys

#include <weir/limit/ip_key.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/testing/manual_clock.hpp>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;

namespace {

weir::testing::manual_clock clock_;

// In production: weir::keyed_limiter<weir::ip_key> per_client{{...}};
using limiter = weir::basic_keyed_limiter<weir::ip_key, weir::exact_keys, weir::testing::manual_clock>;

void five_times(limiter& per_client, std::string_view address)
{
    auto const key = weir::ip_key::parse(address).value();
    int admitted = 0;
    for (int i = 0; i < 5; ++i) admitted += per_client.try_acquire(key) ? 1 : 0;
    auto const wait = per_client.retry_at(key, 1, clock_.now()) - clock_.now();
    std::printf("%.*s asks 5 times: %d admitted, %d refused; come back in %lld ms\n", static_cast<int>(address.size()),
                address.data(), admitted, 5 - admitted, static_cast<long long>(wait / 1ms));
}

void once(limiter& per_client, std::string_view address, char const* what)
{
    auto const key = weir::ip_key::parse(address).value();
    std::printf("%.*s %s: %s\n", static_cast<int>(address.size()), address.data(), what,
                per_client.try_acquire(key) ? "admitted" : "refused");
}

}  // namespace

int main()
{
    limiter per_client({.quotas = {{.rate = weir::per_second(2), .burst = 3},      // quota 0: everybody
                                   {.rate = weir::per_second(50), .burst = 100}},  // quota 1: who pays
                        .capacity = 100'000},
                       {}, clock_);

    five_times(per_client, "203.0.113.7");
    once(per_client, "::ffff:203.0.113.7", "is the same client");
    five_times(per_client, "2001:db8::1");
    once(per_client, "2001:db8::2", "is in the same /64");
    once(per_client, "2001:db8:0:1::1", "is not");

    clock_.advance(1s);
    auto const client = weir::ip_key::parse("203.0.113.7").value();
    std::printf("after a second 203.0.113.7 has %d permits\n", static_cast<int>(per_client.available(client)));

    // One key as a gate: what a pipeline takes, and where the quota can be chosen.
    auto const payer = weir::ip_key::parse("198.51.100.1").value();
    std::printf("a request of the paying client, who may burst to 100: %s\n",
                per_client.of(payer, 1).try_acquire(60) ? "admitted" : "refused");

    // Many keys at once wait for memory once.
    std::vector<weir::ip_key> clients;
    for (std::uint8_t a = 0; a < 10; ++a)
        for (std::uint8_t b = 0; b < 100; ++b) clients.push_back(weir::ip_key::v4({192, 0, a, b}));
    auto const admitted = std::make_unique<bool[]>(clients.size());
    auto const count = per_client.try_acquire_batch(clients, std::span{admitted.get(), clients.size()});
    std::printf("a batch of %zu new clients: %zu admitted\n", clients.size(), count);

    weir::keyed_limiter<weir::ip_key, weir::compact_keys> compact({.capacity = 100'000});
    std::printf("memory: %zu bytes per client of capacity; %zu with compact_keys\n",
                per_client.memory_bytes() / per_client.capacity(), compact.memory_bytes() / compact.capacity());
}
