// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/call_options.hpp>
#include <weir/core/endpoint.hpp>
#include <weir/core/time.hpp>

#include <cassert>
#include <optional>
#include <string_view>

namespace weir {

/// One try of the user's operation, handed to it. Valid until that try has ended.
class attempt {
public:
    attempt() = default;
    attempt(unsigned number, time_point deadline, weir::endpoint const* target = nullptr,
            call_options const* said = nullptr) noexcept
        : number_(number), deadline_(deadline), endpoint_(target), said_(said)
    {
    }

    /// 1 for the first try.
    [[nodiscard]] unsigned number() const noexcept { return number_; }

    /// When this try is over whatever happens: the nearer of the attempt's and the call's limit. `never` without one.
    [[nodiscard]] time_point deadline() const noexcept { return deadline_; }

    /// Time left at `now`, never negative; `duration::max()` without a deadline.
    [[nodiscard]] duration time_left(time_point now) const noexcept
    {
        if (deadline_ == never) return duration::max();
        return deadline_ > now ? between(now, deadline_) : duration::zero();
    }

    [[nodiscard]] bool has_endpoint() const noexcept { return endpoint_ != nullptr; }

    /// Where the balancer sends this try. Precondition: the pipeline has a balancer.
    [[nodiscard]] weir::endpoint const& endpoint() const noexcept
    {
        assert(endpoint_ && "this pipeline has no balancer");
        return *endpoint_;
    }

    /// What the call said of itself (core/call_options.hpp).
    [[nodiscard]] std::optional<request_priority> priority() const noexcept
    {
        return said_ ? said_->priority : std::nullopt;
    }
    [[nodiscard]] std::string_view key() const noexcept { return said_ ? said_->key : std::string_view{}; }
    [[nodiscard]] std::optional<bool> idempotent() const noexcept { return said_ ? said_->idempotent : std::nullopt; }

private:
    unsigned number_ = 1;
    time_point deadline_ = never;
    weir::endpoint const* endpoint_ = nullptr;
    call_options const* said_ = nullptr;  // null: nothing
};

}  // namespace weir
