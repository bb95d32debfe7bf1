// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a limit in bytes adds to an operation on a stream: Beast asks how much may be sent, and afterwards says how much
// was. Each reads the clock and takes a lock; a system call that moves the bytes takes some thousand nanoseconds.

#include "../support/floors.hpp"
#include "../support/report.hpp"

#include <weir/core/tsc_clock.hpp>
#include <weir/http/byte_rate.hpp>

#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/rate_policy.hpp>

#include <cstddef>
#include <memory>

namespace {

struct asking {};

}  // namespace

/// In place of a stream: Beast lets nobody else ask a policy.
template <>
class boost::beast::basic_stream<asking, asking, asking> {
public:
    static bool send(weir::http::byte_rate& limit, std::size_t n)
    {
        if (rate_policy_access::available_write_bytes(limit) < n) return false;
        rate_policy_access::transfer_write_bytes(limit, n);
        return true;
    }
};

namespace {

using bench::contender;
using stream = boost::beast::basic_stream<asking, asking, asking>;

contender two_readings()
{
    return {"two of tsc_clock::now", bench::each([](unsigned) {
                bench::keep(weir::tsc_clock::now().time_since_epoch().count());
                bench::keep(weir::tsc_clock::now().time_since_epoch().count());
                return true;
            })};
}

contender operation(char const* name, weir::http::byte_rate_options const& o)
{
    auto const limit = std::make_shared<weir::http::byte_rate>(o);
    return {name, bench::each([limit](unsigned) { return stream::send(*limit, 100); })};
}

}  // namespace

int main(int argc, char** argv)
{
    bench::report r("byte_rate", argc, argv);
    for (auto const n : r.thread_counts()) {
        (void)r.run({two_readings(), operation("byte_rate: one operation", {.write = 1'000'000'000'000}),
                     operation("byte_rate: one operation, no limit", {})},
                    n, "two of tsc_clock::now");
    }
    return r.finish();
}
