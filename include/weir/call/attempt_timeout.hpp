// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>

namespace weir {

/// The rule of a pipeline that bounds one attempt. The attempt is cancelled for real, reported as
/// errc::attempt_timed_out, counted as a failure of the peer, and may be retried. Stands right of `retry`.
/// A blocking operation cannot be interrupted: it finds its limit in `attempt::deadline()`.
/// Units:  any span above zero.   Throws: std::invalid_argument, construction only.
class attempt_timeout {
public:
    explicit attempt_timeout(duration span) : span_(span)
    {
        if (span <= duration::zero()) detail::bad_option("attempt_timeout", "above 0 ms", span);
    }

    [[nodiscard]] duration span() const noexcept { return span_; }

private:
    duration span_;
};

}  // namespace weir
