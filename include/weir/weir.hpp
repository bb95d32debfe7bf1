// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

/// Everything that needs only the standard library. `weir/asio.hpp` adds what needs Boost's headers.

#include <weir/version.hpp>

#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/endpoint_snapshot.hpp>
#include <weir/balance/endpoint_state.hpp>
#include <weir/balance/lease.hpp>
#include <weir/balance/peak_ewma.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/breaker/circuit_breaker_options.hpp>
#include <weir/breaker/count_window.hpp>
#include <weir/breaker/outcome_window.hpp>
#include <weir/breaker/probes.hpp>
#include <weir/breaker/tally.hpp>
#include <weir/breaker/time_window.hpp>
#include <weir/breaker/transitions.hpp>
#include <weir/call/attempt_timeout.hpp>
#include <weir/call/call.hpp>
#include <weir/call/classify.hpp>
#include <weir/call/deadline.hpp>
#include <weir/call/machine.hpp>
#include <weir/call/observe.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/attempt.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/coarse_clock.hpp>
#include <weir/core/endpoint.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/gate.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/random.hpp>
#include <weir/core/result.hpp>
#include <weir/core/ticker.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/fixed_window.hpp>
#include <weir/limit/ip_key.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/limit/keyed_limiter_options.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/rate.hpp>
#include <weir/limit/rate_permit.hpp>
#include <weir/limit/sliding_window_limiter.hpp>
#include <weir/limit/sliding_window_log.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/limit/warm_up.hpp>
#include <weir/retry/backoff.hpp>
#include <weir/retry/retry.hpp>
#include <weir/retry/retry_after.hpp>
#include <weir/retry/retry_budget.hpp>
