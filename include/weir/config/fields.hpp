// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/balance/peak_ewma.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/breaker/circuit_breaker_options.hpp>
#include <weir/breaker/keyed_breakers_options.hpp>
#include <weir/breaker/outcome_window.hpp>
#include <weir/breaker/throttle.hpp>
#include <weir/call/chaos.hpp>
#include <weir/call/dry_run.hpp>
#include <weir/call/stale_cache.hpp>
#include <weir/limit/adaptive_limit.hpp>
#include <weir/limit/aimd.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/fixed_window.hpp>
#include <weir/limit/gradient2.hpp>
#include <weir/limit/keyed_limiter_options.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/limit_algorithm.hpp>
#include <weir/limit/littles_law.hpp>
#include <weir/limit/load_shedder.hpp>
#include <weir/limit/partitioned_limit.hpp>
#include <weir/limit/shedding_queue.hpp>
#include <weir/limit/sliding_window_limiter.hpp>
#include <weir/limit/sliding_window_log.hpp>
#include <weir/limit/striped_token_bucket.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/limit/vegas.hpp>
#include <weir/limit/warm_up.hpp>
#include <weir/retry/hedge.hpp>
#include <weir/retry/latency_quantile.hpp>
#include <weir/retry/retry.hpp>
#include <weir/retry/retry_budget.hpp>

#include <concepts>

namespace weir {
struct shared_limit_options;
namespace http {
struct byte_rate_options;
}
}  // namespace weir

namespace weir::config {

// What a document may say about each policy: one list of fields per options struct, and the names are those of the
// fields. So the policies know nothing of documents, and a field that is added to one is added here.
//
//   f(name, field)        what `reconfigure` changes
//   f.fixed(name, field)  what only construction sets
//   f.bytes(name, field), f.bytes_per_second(name, field)   numbers with units of their own
//   f.one_of(name, field, {{"word", value}, ...})           an enumeration, by its words
//
// Types of your own take part with a `describe` of their own, found by argument-dependent lookup:
//
//   template <class F> void describe(F& f, my_options& o) { f("rate", o.rate); }
//
// Not here: what a document cannot say, that is functions and error codes.

// --- limit --------------------------------------------------------------------------------------------------------

template <class F>
void describe(F& f, token_bucket_options& o)
{
    f("rate", o.rate);
    f("burst", o.burst);
    f("lease", o.lease);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, striped_token_bucket_options& o)
{
    f("rate", o.rate);
    f("burst", o.burst);
    f("lease", o.lease);
    f.fixed("stripes", o.stripes);
    f.fixed("handles", o.handles);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, leaky_bucket_options& o)
{
    f("rate", o.rate);
    f("max_wait", o.max_wait);
    f("burst", o.burst);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, warm_up_options& o)
{
    f("rate", o.rate);
    f("warm_up", o.warm_up);
    f("cold_factor", o.cold_factor);
    f("burst", o.burst);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, fixed_window_options& o)
{
    f("limit", o.limit);
    f("window", o.window);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, sliding_window_limiter_options& o)
{
    f("limit", o.limit);
    f("window", o.window);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, sliding_window_log_options& o)
{
    f("limit", o.limit);
    f("window", o.window);
    f.fixed("capacity", o.capacity);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, keyed_quota& q)
{
    f("rate", q.rate);
    f("burst", q.burst);
}

template <class F>
void describe(F& f, keyed_limiter_options& o)
{
    f("quotas", o.quotas);
    f.fixed("capacity", o.capacity);
    f.fixed("seed", o.seed);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, concurrency_limit_options& o)
{
    f("limit", o.limit);
    f("max_queue", o.max_queue);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, fixed_limit_options& o)
{
    f("limit", o.limit);
}

template <class F>
void describe(F& f, aimd_options& o)
{
    f("initial_limit", o.initial_limit);
    f("min_limit", o.min_limit);
    f("max_limit", o.max_limit);
    f("decrease", o.decrease);
    f("timeout", o.timeout);
}

template <class F>
void describe(F& f, gradient2_options& o)
{
    f("initial_limit", o.initial_limit);
    f("min_limit", o.min_limit);
    f("max_limit", o.max_limit);
    f("window", o.window);
    f("min_samples", o.min_samples);
    f("long_window", o.long_window);
    f("tolerance", o.tolerance);
    f("smoothing", o.smoothing);
    f("queue", o.queue);
}

template <class F>
void describe(F& f, vegas_options& o)
{
    f("initial_limit", o.initial_limit);
    f("min_limit", o.min_limit);
    f("max_limit", o.max_limit);
    f("alpha", o.alpha);
    f("beta", o.beta);
    f("probe_every", o.probe_every);
}

template <class F>
void describe(F& f, littles_law_options& o)
{
    f("initial_limit", o.initial_limit);
    f("min_limit", o.min_limit);
    f("max_limit", o.max_limit);
    f("headroom", o.headroom);
    f("queue", o.queue);
    f("window", o.window);
    f("probe_every", o.probe_every);
    f("samples", o.samples);
}

template <class F, class Algorithm>
void describe(F& f, adaptive_limit_options<Algorithm>& o)
{
    f("concurrency", o.concurrency);
    f.fixed("name", o.name);
}

template <class F, class Algorithm>
void describe(F& f, partitioned_limit_options<Algorithm>& o)
{
    f("concurrency", o.concurrency);
    f("shares", o.shares);
    f("claim", o.claim);
    f.fixed("name", o.name);
}

template <class F, class Algorithm>
void describe(F& f, shedding_queue_options<Algorithm>& o)
{
    f("concurrency", o.concurrency);
    f("max_queue", o.max_queue);
    f("interval", o.interval);
    f("target", o.target);
    f("slack", o.slack);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, load_shedder_options& o)
{
    f("queue_delay", o.queue_delay);
    f("cpu", o.cpu);
    f("window", o.window);
    f("max_requests", o.max_requests);
    f("decrease", o.decrease);
    f("increase", o.increase);
    f.fixed("name", o.name);
}

// --- breaker ------------------------------------------------------------------------------------------------------

template <class F>
void describe(F& f, time_window& w)
{
    f("length", w.length);
    f("buckets", w.buckets);
}

template <class F>
void describe(F& f, count_window& w)
{
    f("calls", w.calls);
}

template <class F>
void describe(F& f, circuit_breaker_options& o)
{
    f("failure_rate", o.failure_rate);
    f("slow_call_rate", o.slow_call_rate);
    f("slow_call_duration", o.slow_call_duration);
    f("minimum_calls", o.minimum_calls);
    f("consecutive_failures", o.consecutive_failures);
    f("failures", o.failures);
    f("window", o.window);
    f("open_for", o.open_for);
    f("open_multiplier", o.open_multiplier);
    f("max_open_for", o.max_open_for);
    f("open_jitter", o.open_jitter);
    f("half_open_probes", o.half_open_probes);
    f("half_open_success_rate", o.half_open_success_rate);
    f("probe_timeout", o.probe_timeout);
    f("half_open_for", o.half_open_for);
    f("ramp_for", o.ramp_for);
    f("ramp_from", o.ramp_from);
    f("dry_run", o.dry_run);
    f.fixed("stripes", o.stripes);
    f.fixed("seed", o.seed);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, keyed_breakers_options& o)
{
    f("each", o.each);
    f.fixed("capacity", o.capacity);
    f("idle_for", o.idle_for);
}

template <class F>
void describe(F& f, throttle_options& o)
{
    f("k", o.k);
    f("window", o.window);
    f("min_requests", o.min_requests);
    f("max_rejection", o.max_rejection);
    f.fixed("name", o.name);
}

// --- retry --------------------------------------------------------------------------------------------------------

template <class F>
void describe(F& f, retry_budget_options& o)
{
    f("per_success", o.per_success);
    f.fixed("initial", o.initial);
    f("max", o.max);
    f("window", o.window);
    f("min_per_second", o.min_per_second);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, retry_options& o)
{
    f("max_attempts", o.max_attempts);
    f("backoff", o.backoff);
    f("max_retry_after", o.max_retry_after);
    f("max_elapsed", o.max_elapsed);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, latency_quantile_options& o)
{
    f("quantile", o.quantile);
    f("min_samples", o.min_samples);
    f("window", o.window);
}

template <class F>
void describe(F& f, hedge_options& o)
{
    f("delay", o.delay);
    f("max_extra", o.max_extra);
    f("min_delay", o.min_delay);
    f("max_delay", o.max_delay);
    f.fixed("name", o.name);
}

// --- balance, call ------------------------------------------------------------------------------------------------

template <class F>
void describe(F& f, round_robin_options& o)
{
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, peak_ewma_options& o)
{
    f("decay", o.decay);
    f("failure_penalty", o.failure_penalty);
    f.fixed("name", o.name);
}

template <class F>
void describe(F& f, dry_run_options& o)
{
    f("enforce", o.enforce);
}

template <class F>
void describe(F& f, chaos_options& o)
{
    f("enabled", o.enabled);
    f("fault_rate", o.fault_rate);
    f("latency_rate", o.latency_rate);
    f("latency", o.latency);
    f("outcome_rate", o.outcome_rate);
    f("behaviour_rate", o.behaviour_rate);
}

template <class F>
void describe(F& f, stale_cache_options& o)
{
    f.fixed("capacity", o.capacity);
    f("fresh_for", o.fresh_for);
    f("stale_for", o.stale_for);
}

// --- http ---------------------------------------------------------------------------------------------------------

template <class F,
          std::same_as<http::byte_rate_options> Options>  // whose header needs Asio, and is for users to include
void describe(F& f, Options& o)
{
    f.bytes_per_second("read", o.read);
    f.bytes_per_second("write", o.write);
    f("burst", o.burst);
    f.bytes("transfer", o.transfer);
    f.bytes("least", o.least);
}

// --- shared -------------------------------------------------------------------------------------------------------

template <class F, std::same_as<shared_limit_options> Options>  // likewise
void describe(F& f, Options& o)
{
    using gone = decltype(o.when_gone);
    f("rate", o.rate);
    f("burst", o.burst);
    f("nodes", o.nodes);
    f.fixed("name", o.name);
    f("hold", o.hold);
    f("lease", o.lease);
    f("pause", o.pause);
    f("share", o.share);
    f("strict", o.strict);
    f.one_of("when_gone", o.when_gone,
             {{"local_share", gone::local_share}, {"deny", gone::deny}, {"allow", gone::allow}});
    f("acquire_timeout", o.acquire_timeout);
    f("patience", o.patience);
    f("probe_every", o.probe_every);
    f.fixed("max_keys", o.max_keys);
    f("max_waiting", o.max_waiting);
    f.fixed("seed", o.seed);
}

}  // namespace weir::config
