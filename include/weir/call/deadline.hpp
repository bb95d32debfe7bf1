// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>

namespace weir {

/// The rule of a pipeline that bounds the whole call: waits, attempts and the pauses between them. No attempt starts
/// that this leaves no time for, and one in flight is cancelled: an asynchronous one. Blocking code cannot be
/// interrupted; `attempt.deadline()` tells it when to be done. Stands left of `retry`.
/// Units:  any span above zero.   Throws: std::invalid_argument, construction only.
class deadline {
public:
    explicit deadline(duration span) : span_(span)
    {
        if (span <= duration::zero()) detail::bad_option("deadline", "above 0 ms", span);
    }

    [[nodiscard]] duration span() const noexcept { return span_; }

private:
    duration span_;
};

}  // namespace weir
