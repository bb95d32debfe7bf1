// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: a stage given as a temporary moves in, and this one cannot move
#include <weir/call/pipeline.hpp>

#include <memory>

struct mine {
    void record(weir::outcome const&, weir::time_point) noexcept {}
    std::unique_ptr<int> only_moves;
};
struct immovable {
    immovable() = default;
    immovable(immovable const&) = delete;
    weir::admission<mine> admit(weir::time_point) { return mine{}; }
} named;
using namespace std::chrono_literals;

#ifdef WEIR_CORRECT
auto p = weir::pipeline(named);
#else
auto p = weir::pipeline(immovable{});
#endif
