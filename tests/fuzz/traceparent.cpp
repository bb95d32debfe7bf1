// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The traceparent of a request. What is read has ids, is written in version 00, and what is written reads the same; a
// version 00 that says no more than whether it is sampled is written as it came.
#include <weir/http/trace_context.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    auto const t = weir::http::parse_traceparent(text);
    if (!t) return 0;
    auto const written = weir::http::format_traceparent(*t);
    if (written.size() != 55 || weir::http::parse_traceparent(written) != t) std::abort();
    if (text.substr(0, 2) == "ff" || t->trace_id == decltype(t->trace_id){} || t->parent_id == decltype(t->parent_id){})
        std::abort();
    if (written.substr(2, 51) != text.substr(2, 51)) std::abort();
    bool const plain = text.starts_with("00") && (text.ends_with("-00") || text.ends_with("-01"));
    if (plain && written != text) std::abort();

    auto r = weir::http::get("/");
    r.set("traceparent", written);
    if (weir::http::trace_of(r) != t) std::abort();
    return 0;
}
