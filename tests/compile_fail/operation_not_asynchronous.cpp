// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: the operation returns an asio::awaitable<T>, or a deferred Asio operation
#include <weir/async/async_call.hpp>
#include <weir/testing/scripted_operation.hpp>
#include <weir/testing/virtual_time.hpp>

void call(weir::testing::virtual_time& world, [[maybe_unused]] weir::testing::scripted_operation<int>& op)
{
    auto p = weir::pipeline(weir::retry());
#ifdef WEIR_CORRECT
    p.async_call(world.get_executor(), op.async(world.get_executor()), [](boost::system::error_code, int) {});
#else
    p.async_call(world.get_executor(), [](weir::attempt const&) { return 1; }, [](boost::system::error_code, int) {});
#endif
}
