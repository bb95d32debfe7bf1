// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <string>
#include <system_error>

namespace weir {

/// Everything weir itself answers. Codes of the transport underneath pass through untouched.
/// Seen in: examples/04_pipeline.cpp
enum class errc {
    // Refused: nothing was sent.
    rate_limited = 1,  ///< a rate limiter has no permit now
    exceeds_burst,     ///< more permits asked for than the limiter can ever hold at once
    too_many_calls,    ///< a concurrency limit is reached and its queue is full
    circuit_open,      ///< the circuit breaker is open, or its half-open probes are all taken
    no_endpoint,       ///< the balancer has nothing to pick from
    no_time_left,      ///< the deadline leaves no room to start
    // Sent, or meant to be.
    attempt_timed_out,  ///< one attempt took longer than its time limit and was cancelled
    deadline_exceeded,  ///< the deadline of the whole call passed while an attempt was in flight
    operation_threw,    ///< the operation threw where only an error code can be reported
    answer_failed,      ///< the operation gave an answer, which its classifier calls a failure
    // HTTP.
    bad_request,        ///< method, target or header is not fit to be written to the wire
    bad_response,       ///< the peer's answer is not HTTP, or breaks a limit of framing
    body_too_large,     ///< a body is over the configured size
    connection_closed,  ///< the peer closed before the answer was complete
    // Registries.
    registry_unavailable,  ///< the registry could not be asked; the last good set stays
    registry_refused,      ///< the registry understood and said no (permission, unknown service, bad registration)
    bad_document,          ///< the registry's answer is not what its protocol says; refused whole
    stopped,               ///< the component was stopped or destroyed with this operation pending
};

/// Groups of codes to test for: `if (ec == weir::condition::rejected)`.
enum class condition {
    rejected = 1,  ///< weir did not send: the work was never begun
    transient,     ///< the same call may succeed a little later
};

namespace detail {

class errc_category final : public std::error_category {
public:
    [[nodiscard]] char const* name() const noexcept override { return "weir"; }

    [[nodiscard]] std::string message(int value) const override
    {
        switch (static_cast<errc>(value)) {
            case errc::rate_limited: return "rate limited: no permit at this time";
            case errc::exceeds_burst: return "more permits asked for than the limiter's burst: can never be admitted";
            case errc::too_many_calls: return "too many calls in progress";
            case errc::circuit_open: return "circuit open";
            case errc::no_endpoint: return "no endpoint to send to";
            case errc::no_time_left: return "the deadline leaves no time to start";
            case errc::attempt_timed_out: return "attempt timed out";
            case errc::deadline_exceeded: return "deadline exceeded";
            case errc::operation_threw: return "the operation threw an exception";
            case errc::answer_failed: return "the answer itself was a failure";
            case errc::bad_request: return "request not fit to be sent";
            case errc::bad_response: return "response is not valid HTTP";
            case errc::body_too_large: return "body too large";
            case errc::connection_closed: return "connection closed before the answer was complete";
            case errc::registry_unavailable: return "registry unavailable";
            case errc::registry_refused: return "registry refused";
            case errc::bad_document: return "registry document refused";
            case errc::stopped: return "stopped";
        }
        return "unknown weir error";
    }
};

class condition_category final : public std::error_category {
public:
    [[nodiscard]] char const* name() const noexcept override { return "weir.condition"; }

    [[nodiscard]] std::string message(int value) const override
    {
        switch (static_cast<condition>(value)) {
            case condition::rejected: return "rejected: not sent";
            case condition::transient: return "transient: may succeed later";
        }
        return "unknown weir condition";
    }

    [[nodiscard]] bool equivalent(std::error_code const& code, int value) const noexcept override;
};

inline errc_category const the_errc_category;
inline condition_category const the_condition_category;

}  // namespace detail

[[nodiscard]] inline std::error_code make_error_code(errc e) noexcept
{
    return {static_cast<int>(e), detail::the_errc_category};
}

[[nodiscard]] inline std::error_condition make_error_condition(condition c) noexcept
{
    return {static_cast<int>(c), detail::the_condition_category};
}

}  // namespace weir

template <>
struct std::is_error_code_enum<weir::errc> : std::true_type {};
template <>
struct std::is_error_condition_enum<weir::condition> : std::true_type {};

inline bool weir::detail::condition_category::equivalent(std::error_code const& code, int value) const noexcept
{
    if (code.category() == the_errc_category) {
        auto const ours = static_cast<errc>(code.value());
        switch (static_cast<condition>(value)) {
            case condition::rejected: return ours >= errc::rate_limited && ours <= errc::no_time_left;
            case condition::transient:
                // A refusal is transient when waiting can change the answer. `exceeds_burst` never changes.
                return ours == errc::rate_limited || ours == errc::too_many_calls || ours == errc::circuit_open ||
                       ours == errc::no_endpoint || ours == errc::attempt_timed_out ||
                       ours == errc::connection_closed || ours == errc::registry_unavailable;
        }
        return false;
    }
    if (static_cast<condition>(value) != condition::transient) return false;
    // What an operating system says of a peer that is restarting, unreachable or overloaded.
    for (auto const theirs :
         {std::errc::connection_refused, std::errc::connection_reset, std::errc::connection_aborted,
          std::errc::broken_pipe, std::errc::timed_out, std::errc::host_unreachable, std::errc::network_unreachable,
          std::errc::network_down, std::errc::network_reset, std::errc::not_connected,
          std::errc::resource_unavailable_try_again, std::errc::interrupted})
        if (code == theirs) return true;
    return false;
}
