// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// One pipeline, made once, and a limit of its own for every client. A call says whose it is (`call_options::key`), and
// `keyed_by` finds the limiter's key in that: here an address, so that a household of IPv6 is one client. `drain_on`
// around it empties the bucket of the one client whose request did harm; the others go on.
//
// Expected output:
//   203.0.113.7: passes passes passes refused
//   2001:db8::1: passes passes passes refused
//   2001:db8::2: refused
//   198.51.100.9: passes fails refused
//   half a second later
//   203.0.113.7: passes refused
//   198.51.100.9: passes refused

#include <weir/call/pipeline.hpp>
#include <weir/limit/drain_on.hpp>
#include <weir/limit/ip_key.hpp>
#include <weir/limit/keyed_by.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/testing/manual_clock.hpp>

#include <cstdio>
#include <initializer_list>
#include <string>
#include <system_error>

using namespace std::chrono_literals;

namespace {

weir::ip_key client(weir::call_facts const& of) noexcept
{
    return weir::ip_key::parse(of.key).value_or(weir::ip_key{});  // who has no address shares one key
}

bool harmful(weir::outcome const& o) noexcept { return !o.ok(); }

}  // namespace

int main()
{
    weir::testing::manual_clock clock;
    weir::keyed_limiter<weir::ip_key> per_client{
        {.quotas = {{.rate = weir::per_second(2), .burst = 3}}, .capacity = 100'000}};
    auto guarded = weir::pipeline(weir::drain_on{weir::keyed_by{per_client, client}, harmful});

    auto const requests = [&](std::string const& from, std::initializer_list<bool> good) {
        std::printf("%s:", from.c_str());
        for (bool const is_good : good) {
            auto const answer = guarded.call(
                [is_good](weir::attempt const&) -> weir::result<int> {
                    if (!is_good) return weir::error(std::make_error_code(std::errc::result_out_of_range));
                    return 1;
                },
                {.key = from}, clock);
            std::fputs(answer                                            ? " passes"
                       : answer.error().code == weir::errc::rate_limited ? " refused"
                                                                         : " fails",
                       stdout);
        }
        std::puts("");
    };

    requests("203.0.113.7", {true, true, true, true});
    requests("2001:db8::1", {true, true, true, true});
    requests("2001:db8::2", {true});  // the same /64
    requests("198.51.100.9", {true, false, true});

    clock.advance(500ms);
    std::puts("half a second later");
    requests("203.0.113.7", {true, true});
    requests("198.51.100.9", {true, true});
}
