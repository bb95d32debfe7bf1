// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a call carries along in headers: its priority, what is left of its deadline, a pushback. What is read is in
// range, and what weir would write for it reads the same.
#include <weir/core/priority.hpp>
#include <weir/http/deadline_header.hpp>
#include <weir/retry/pushback.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    if (auto const p = weir::parse_priority(text))
        if (p->rank() >= weir::request_priority::ranks || weir::to_header(*p) != text) std::abort();
    if (auto const left = weir::http::parse_timeout(text)) {
        auto const again = weir::http::parse_timeout(weir::http::format_timeout(*left));
        if (*left < weir::duration::zero() || !again || *again > *left) std::abort();
    }
    if (auto const wait = weir::parse_pushback(text); wait < weir::duration::zero() && wait != weir::do_not_retry)
        std::abort();
    return 0;
}
