// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/core/outcome.hpp>
#include <weir/http/message.hpp>
#include <weir/http/validate.hpp>
#include <weir/retry/pushback.hpp>
#include <weir/retry/retry_after.hpp>

#include <chrono>
#include <system_error>

namespace weir::http {

/// What an HTTP answer, or the lack of one, says of the peer: for `weir::classify` in a pipeline.
///
///   answer                        counts as   another try
///   1xx 2xx 3xx 4xx               success     -            the request may be wrong, the peer is well
///   408                           failure     yes          with its Retry-After
///   429                           failure     yes          with its Retry-After; without: at any time, but fewer
///   500 502 503 504               failure     yes          with its Retry-After
///   other 5xx                     failure     no           501 or 505 will be said again
///   no answer (transport error)   failure     when `condition::transient`
///   cancelled, or not sent        ignored     -            it says nothing of the peer
///
/// "Yes" holds for idempotent methods. For the others another try could do the work twice, so only what proves that the
/// peer did none of it is transient: 429, and a refused connection.
///
/// The method is asked for because an error code does not tell it: state what the pipeline sends, and if it sends
/// several, the one that is least safe.
///
/// A `grpc-retry-pushback-ms` of a failure counts for more than its Retry-After: so long, or not at all (gRPC's A6).
/// Threads: any.   Seen in: examples/06_http_client.cpp
class classifier {
public:
    explicit constexpr classifier(verb method) noexcept : repeatable_(idempotent(method)) {}

    /// Every request of this pipeline may be repeated whatever its method: its handler knows the repetition, for
    /// example by an idempotency key.
    [[nodiscard]] static constexpr classifier every_request_is_repeatable() noexcept { return classifier(verb::get); }

    [[nodiscard]] outcome operator()(response const& answer) const noexcept;
    [[nodiscard]] outcome operator()(std::error_code const& code) const noexcept;

private:
    bool repeatable_;
};

// Bodies

inline outcome classifier::operator()(response const& answer) const noexcept
{
    auto const code = answer.result_int();
    if (code < 500 && code != 408 && code != 429) return outcome::success();
    bool const passing = code == 408 || code == 429 || code == 500 || code == 502 || code == 503 || code == 504;
    auto o = outcome::failure();
    o.transient = passing && (repeatable_ || code == 429);
    if (auto const pushback = answer.find("grpc-retry-pushback-ms"); pushback != answer.end())
        o.retry_after = parse_pushback(detail::view(pushback->value()));
    else if (auto const f = answer.find(field::retry_after); f != answer.end())
        o.retry_after = parse_retry_after(detail::view(f->value()),
                                          std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
    // Too many requests: that is a wish for fewer, if without a time. It empties a drain_on and stops hedges.
    if (code == 429 && !o.retry_after) o.retry_after = duration::zero();
    return o;
}

inline outcome classifier::operator()(std::error_code const& code) const noexcept
{
    if (!code) return outcome::success();
    if (code == std::errc::operation_canceled || code == errc::stopped || code == errc::bad_request ||
        code == condition::rejected)
        return outcome::ignored();
    auto o = outcome::failure();
    o.transient = code == condition::transient && (repeatable_ || code == std::errc::connection_refused);
    return o;
}

}  // namespace weir::http
