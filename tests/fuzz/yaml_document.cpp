// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Configuration in YAML: read, or refused with a reason; what is read is no deeper than allowed, and no larger than its
// text could make it. Without yaml-cpp there is nothing to feed.
#include <weir/config/yaml.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#if __has_include(<yaml-cpp/yaml.h>)

namespace {

std::size_t counted(boost::json::value const& v, std::size_t depth)
{
    if (depth > 16) std::abort();
    std::size_t n = 1;
    if (v.is_array())
        for (auto const& e : v.get_array()) n += counted(e, depth + 1);
    if (v.is_object())
        for (auto const& [key, e] : v.get_object()) n += counted(e, depth + 1);
    return n;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    std::string why;
    auto const v = weir::config::parse_yaml(text, why, 16);
    if (v.has_value() != why.empty()) std::abort();
    if (v && counted(*v, 0) > size + 1) std::abort();
    return 0;
}

#else

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const*, std::size_t) { return 0; }

#endif
