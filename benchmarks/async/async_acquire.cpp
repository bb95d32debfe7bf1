// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What asking for a permit adds to the post that any asynchronous operation ends with, where there is no wait. 512
// operations are started, then the context runs them all; nothing else is in it.

#include "../support/floors.hpp"
#include "../support/report.hpp"

#include <weir/async/async_acquire.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/token_bucket.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using bench::contender;

constexpr char const* plain_post = "asio::post";

/// A context and a full bucket for each thread; `start(world, done)` starts one operation.
struct world {
    asio::io_context io{1};
    weir::token_bucket bucket{{.rate = weir::per_second(1'000'000'000), .burst = 1'000'000'000}};
    weir::concurrency_limit limit{{.limit = 1000}};
};

template <class Start>
contender operation(std::string name, Start start)
{
    auto const worlds = std::make_shared<std::vector<std::unique_ptr<world>>>();
    auto const begin = [worlds](unsigned threads) {
        worlds->clear();
        for (unsigned i = 0; i < threads; ++i) worlds->push_back(std::make_unique<world>());
    };
    auto const body = [worlds, start](unsigned thread, unsigned n) {
        auto& w = *(*worlds)[thread];
        unsigned ended = 0;
        for (unsigned i = 0; i < n; ++i) start(w, ended);
        w.io.restart();
        w.io.poll();
        return ended == n;
    };
    return {std::move(name), body, begin};
}

}  // namespace

int main(int argc, char** argv)
{
    bench::report r("async_acquire", argc, argv);
    auto const make = [] {
        auto const count = [](unsigned& ended) { return [&ended](boost::system::error_code ec) { ended += !ec; }; };
        return std::vector<contender>{
            bench::floors::tsc_now(),
            operation(plain_post, [](world& w, unsigned& ended) { asio::post(w.io, [&ended] { ++ended; }); }),
            operation("async_acquire(token_bucket), no wait, now given",
                      [count](world& w, unsigned& ended) {
                          weir::async_acquire(w.io.get_executor(), w.bucket, 1, 1s, weir::time_point(1h), count(ended));
                      }),
            operation("async_acquire(token_bucket), no wait",
                      [count](world& w, unsigned& ended) {
                          weir::async_acquire(w.io.get_executor(), w.bucket, 1, 1s, count(ended));
                      }),
            operation("async_acquire(concurrency_limit), no wait",
                      [](world& w, unsigned& ended) {
                          weir::async_acquire(
                              w.io.get_executor(), w.limit, 1s,
                              [&ended](boost::system::error_code ec, weir::concurrency_slot) { ended += !ec; });
                      }),
        };
    };
    bench::table const* first = nullptr;
    for (auto const n : r.thread_counts()) {
        auto const& t = r.run(make(), n, plain_post);
        if (first == nullptr) first = &t;
    }
    char note[64];
    std::snprintf(note, sizeof note, "now given: %.2f",
                  first->ratio("async_acquire(token_bucket), no wait, now given", plain_post));
    r.judge({.name = "async_acquire that need not wait / asio::post",
             .value = first->ratio("async_acquire(token_bucket), no wait", plain_post),
             .limit = 1.1,
             .moonshot = "1.0",
             .note = note});
    return r.finish();
}
