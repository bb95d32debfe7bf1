// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

/// Everything of weir that needs the headers of Boost and nothing to link: async and http, and all of `weir/weir.hpp`.

#include <weir/weir.hpp>

#include <weir/async/any_pipeline.hpp>
#include <weir/async/async_acquire.hpp>
#include <weir/async/async_acquire_circuit.hpp>
#include <weir/async/async_acquire_dry_run.hpp>
#include <weir/async/async_call.hpp>
#include <weir/async/async_chaos.hpp>
#include <weir/async/async_enqueue.hpp>
#include <weir/async/async_fallback.hpp>
#include <weir/async/async_stale_cache.hpp>
#include <weir/async/half_open_timer.hpp>
#include <weir/async/single_flight.hpp>
#include <weir/async/timer.hpp>
#include <weir/async/timer_queue.hpp>
#include <weir/http/answer_stream.hpp>
#include <weir/http/byte_rate.hpp>
#include <weir/http/classify.hpp>
#include <weir/http/client.hpp>
#include <weir/http/client_options.hpp>
#include <weir/http/deadline_header.hpp>
#include <weir/http/message.hpp>
#include <weir/http/pool.hpp>
#include <weir/http/priority_header.hpp>
#include <weir/http/server.hpp>
#include <weir/http/server_options.hpp>
#include <weir/http/trace_context.hpp>
#include <weir/http/transport.hpp>
#include <weir/http/validate.hpp>
