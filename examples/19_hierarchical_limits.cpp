// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A call has to pass the limit of its tenant, of his plan and of the whole service, and is charged to all of them or to
// none: who is refused further out has not spent what he has further in.
//
// Expected output:
//   acme  call 1: yes
//   acme  call 2: yes
//   acme  call 3: no, per_tenant; come back in 500 ms
//   bolt  call 1: yes
//   bolt  call 2: no, free_plan; come back in 250 ms
//     bolt still has 1 of his own, the service 6
//   a second later
//   acme  call 1: yes
//   corp  job of 5: yes
//   dune  call 1: no, service; come back in 100 ms
//     dune still has 2 of his own

#include <weir/limit/hierarchical_limit.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

namespace {

weir::testing::manual_clock clock_;

weir::basic_keyed_limiter<std::string, weir::exact_keys, weir::testing::manual_clock> per_tenant(
    {.quotas = {{weir::per_second(2), 2}, {weir::per_second(10), 5}}, .capacity = 10'000, .name = "per_tenant"}, {},
    clock_);
weir::basic_token_bucket free_plan({.rate = weir::per_second(4), .burst = 3, .name = "free_plan"}, clock_);
weir::basic_token_bucket paid_plan({.rate = weir::per_second(50), .burst = 50, .name = "paid_plan"}, clock_);
weir::basic_token_bucket service({.rate = weir::per_second(10), .burst = 9, .name = "service"}, clock_);

void show(char const* tenant, char const* what, weir::rejection const* no)
{
    std::printf("%s  %s: ", tenant, what);
    if (no == nullptr)
        std::puts("yes");
    else
        std::printf("no, %.*s; come back in %lld ms\n", static_cast<int>(no->gate.size()), no->gate.data(),
                    static_cast<long long>((no->retry_at - clock_.now()) / 1ms));
}

void call(char const* tenant, char const* what)
{
    // Made for this call; the busiest limit last. It is a gate, and could stand in a pipeline too.
    weir::hierarchical_limit limits(per_tenant.of(tenant), free_plan, service);
    auto admitted = limits.admit(clock_.now());
    show(tenant, what, admitted ? nullptr : &admitted.refused());
    if (admitted) admitted->record(weir::outcome::success(), clock_.now());  // sent: it stays spent, in all three
}

int on_hand(char const* tenant) { return static_cast<int>(per_tenant.available(tenant)); }

}  // namespace

int main()
{
    call("acme", "call 1");
    call("acme", "call 2");
    call("acme", "call 3");
    call("bolt", "call 1");
    call("bolt", "call 2");
    std::printf("  bolt still has %d of his own, the service %d\n", on_hand("bolt"),
                static_cast<int>(service.available()));

    std::puts("a second later");
    clock_.advance(1s);
    call("acme", "call 1");

    // A job of several permits, of a tenant who pays: quota 1.
    weir::hierarchical_limit paid(per_tenant.of("corp", 1), paid_plan, service);
    auto job = paid.admit(5, clock_.now());
    show("corp", "job of 5", job ? nullptr : &job.refused());
    if (job) job->record(weir::outcome::success(), clock_.now());

    service.drain();  // a 429 came from behind
    call("dune", "call 1");
    std::printf("  dune still has %d of his own\n", on_hand("dune"));
}
