// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What chaos costs in a program that is not tested: nothing but a look at its flag.

#include "../support/report.hpp"

#include <weir/call/chaos.hpp>

#include <memory>

namespace {

/// An operation that the compiler cannot see through.
constexpr auto nothing = [](weir::attempt const& a) -> weir::result<int> {
    int n = static_cast<int>(a.number());
    asm volatile("" : "+r"(n) : : "memory");
    return n;
};

}  // namespace

int main(int argc, char** argv)
{
    bench::report r("chaos", argc, argv);
    constexpr auto bare = "operation", off = "operation, chaos around it is off";
    weir::chaos chaos(42);
    weir::attempt const first;
    auto const& t =
        r.run({{bare, bench::each([&](unsigned) { return *nothing(first) == 1; })},
               {off, bench::each([&, op = chaos.around(nothing)](unsigned) mutable { return *op(first) == 1; })}},
              1, bare);
    r.judge(
        {.name = "what chaos that is off adds to an operation", .value = t.over(off, bare), .limit = 1, .unit = "ns"});
    return r.finish();
}
