// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Retry-After as seconds and as a date: what is read is never negative and never longer than the longest allowed.
#include <weir/retry/retry_after.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    for (std::int64_t const now : {std::int64_t{0}, std::int64_t{1'700'000'000}, std::int64_t{-1}})
        if (auto const wait = weir::parse_retry_after(text, std::chrono::sys_seconds(std::chrono::seconds(now))))
            if (*wait < weir::duration::zero() || *wait > weir::longest_retry_after) std::abort();
    return 0;
}
