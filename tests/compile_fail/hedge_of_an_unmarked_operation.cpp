// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: this pipeline hedges, so say whether several copies of this operation may run at once
#include <weir/async/async_call.hpp>
#include <weir/async/timer.hpp>

#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

using namespace std::chrono_literals;

void f(boost::asio::io_context& io, weir::retry_budget& budget, weir::timer& t)
{
    auto p = weir::pipeline(weir::hedge({.delay = 50ms}, budget));
    auto op = [&](weir::attempt const&) { return t.async_wait_for(1ms, boost::asio::deferred); };
#ifdef WEIR_CORRECT
    p.async_call(io.get_executor(), weir::hedgeable(op), boost::asio::detached);
    p.async_call(io.get_executor(), weir::not_hedgeable(op), boost::asio::detached);
#else
    p.async_call(io.get_executor(), op, boost::asio::detached);
#endif
}
