// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/limit/limit_algorithm.hpp>

#include <algorithm>
#include <cstdint>

namespace never_over {

/// Another limit with every sample, from 1 to the most there is.
class restless {
public:
    struct options {
        std::uint32_t most = 1;
    };
    explicit restless(options const& o) : most_(o.most), limit_(o.most) {}
    void update(weir::limit_sample const&) noexcept { limit_ = limit_ % most_ + 1; }
    [[nodiscard]] std::uint32_t limit() const noexcept { return limit_; }
    void reconfigure(options const& o) noexcept { most_ = o.most, limit_ = std::min(limit_, most_); }

private:
    std::uint32_t most_;
    std::uint32_t limit_;
};

}  // namespace never_over
