// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Instances come and go; callers should not need to know. An instance registers and holds a lease, which sends its
// heartbeats. A caller follows the service, and its balancer picks from what is there now. One that leaves in good
// order is gone at once; one that crashes, when its time to live has passed. And when the registry itself is gone, the
// last good set goes on serving.
//
// Expected output:
//    0.0 s  three join                      a b c    picks: a b c a b c
//    0.1 s  c leaves in good order          a b      picks: a b a b a b
//    5.0 s  b crashes                       a b      picks: a b a b a b
//   15.0 s  its time to live has passed     a        picks: a a a a a a
//   16.0 s  d joins, with twice the weight  a d      picks: a d d a d d
//   60.0 s  the registry is gone            a d      picks: a d d a d d

#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/registry/concepts.hpp>
#include <weir/registry/follow.hpp>
#include <weir/registry/memory.hpp>
#include <weir/testing/virtual_time.hpp>

#include <cstdio>
#include <map>
#include <optional>
#include <string>

using namespace std::chrono_literals;

namespace {

/// What an instance does when it starts. Any registry will do: a weir::registry::consul takes the place of the memory
/// below with one line, `weir::registry::consul registry(io.get_executor(), {.url = "consul://127.0.0.1:8500"});`.
template <weir::registry::registrar Registry>
void join(Registry& registry, std::string const& id, std::uint32_t weight, weir::registry::lease& kept)
{
    registry.async_register(
        {.service = "inventory", .address = "10.0.0.1", .port = 8080, .id = id, .weight = weight, .ttl = 9s},
        [&kept](boost::system::error_code ec, weir::registry::lease lease) {
            if (!ec) kept = std::move(lease);  // alive as long as this is
        });
}

}  // namespace

int main()
{
    weir::testing::virtual_time world;  // an asio::io_context, but for the time: a minute passes at once
    std::optional<weir::registry::memory> registry(world.get_executor());

    // The caller: a set that follows the service, and a balancer over it.
    weir::endpoint_set inventory;
    auto const following = weir::registry::follow(registry->watch({"inventory"}), inventory);
    weir::round_robin balancer(inventory);

    auto const start = world.now();
    auto const show = [&](weir::duration when, char const* what) {
        world.run_until(start + when);
        std::string known, picks;
        for (auto const& m : inventory.snapshot()->members()) known += m.endpoint.id + " ";
        weir::random_engine random{1};
        for (int call = 0; call < 6; ++call)
            if (auto lease = balancer.pick(world.now(), random, nullptr)) picks += " " + lease->endpoint().id;
        std::printf("%4.1f s  %-30s  %-7s  picks:%s\n", std::chrono::duration<double>(when).count(), what,
                    known.c_str(), picks.c_str());
    };

    std::map<std::string, weir::registry::lease> leases;
    for (auto const* id : {"a", "b", "c"}) join(*registry, id, 1, leases[id]);
    show(0s, "three join");

    leases["c"].async_deregister([](boost::system::error_code) {});
    show(100ms, "c leaves in good order");

    world.run_until(start + 5s);
    leases.erase("b");  // its heartbeats end, and nobody tells the registry
    show(5s, "b crashes");
    show(15s, "its time to live has passed");

    join(*registry, "d", 2, leases["d"]);
    show(16s, "d joins, with twice the weight");

    leases.clear();
    registry.reset();
    show(60s, "the registry is gone");
}
