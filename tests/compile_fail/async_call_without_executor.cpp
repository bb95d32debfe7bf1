// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: no executor for this operation. Pass one as the first argument
#include <weir/async/async_call.hpp>
#include <weir/testing/scripted_operation.hpp>
#include <weir/testing/virtual_time.hpp>

void call(weir::testing::virtual_time& world, weir::testing::scripted_operation<int>& op)
{
    auto p = weir::pipeline(weir::retry());
    auto const done = [](boost::system::error_code, int) {};
#ifdef WEIR_CORRECT
    p.async_call(world.get_executor(), op.async(world.get_executor()), done);
#else
    p.async_call(op.async(world.get_executor()), done);
#endif
}
