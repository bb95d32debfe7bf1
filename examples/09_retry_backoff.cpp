// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Retrying without making things worse: pauses that grow, the server's own wish (Retry-After) respected, and a budget
// that successes earn, so that an outage is not met with three times the load.
//
// Expected output:
//   a hiccup
//     at    0 ms: 503
//     at  100 ms: 503
//     at  300 ms: 200
//   the server asks for two seconds
//     at    0 ms: 503, Retry-After: 2
//     at 2000 ms: 200
//   an outage: 1000 calls made 1007 requests

#include <weir/call/classify.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/retry/retry.hpp>
#include <weir/retry/retry_after.hpp>
#include <weir/testing/manual_clock.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct response {
    int status = 200;
    std::string retry_after = {};
};

/// What a response means for the rules around the call: 503 is worth another try, when the server says, if it does.
weir::outcome judge(response const& r)
{
    if (r.status != 503) return weir::outcome::success();
    auto o = weir::outcome::failure();
    auto const now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    o.retry_after = weir::parse_retry_after(r.retry_after, now);
    return o;
}

}  // namespace

int main()
{
    // One budget per destination, shared by all that call it. Ten tokens to begin with, so that this example has some.
    weir::retry_budget budget({.per_success = 0.1, .initial = 10});

    // Jitter is on by default, and should be; it is off here so that the pauses can be printed.
    auto guarded = weir::pipeline(
        weir::retry({.max_attempts = 3, .backoff = weir::exponential(100ms, 2s).with(weir::jitter::none)}, budget),
        weir::classify(judge));

    weir::testing::manual_clock clock;  // waits in no time; leave it out and the pauses are real
    auto const show = [&](char const* title, std::vector<response> const& script) {
        std::printf("%s\n", title);
        auto const start = clock.now();
        auto next = script.begin();
        (void)guarded.call(
            [&](weir::attempt const&) {
                auto const& r = *next++;
                std::printf("  at %4d ms: %d%s%s\n", static_cast<int>((clock.now() - start) / 1ms), r.status,
                            r.retry_after.empty() ? "" : ", Retry-After: ", r.retry_after.c_str());
                return r;
            },
            clock);
    };
    show("a hiccup", {{503}, {503}, {200}});
    show("the server asks for two seconds", {{503, "2"}, {200}});

    int requests = 0;
    auto const down = [&](weir::attempt const&) {
        ++requests;
        return response{503};
    };
    for (int i = 0; i < 1000; ++i) (void)guarded.call(down, clock);
    std::printf("an outage: 1000 calls made %d requests\n", requests);
}
