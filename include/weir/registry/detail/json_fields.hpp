// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/strict_json.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <charconv>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir::registry::detail {

/// Members of a JSON object by type. One that is not there, or null, is the empty one of its type, as in protobuf and
/// Kubernetes, which leave out what is empty. One of another type throws bad_field, which never leaves a reader.

struct bad_field : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The member, or null when it is not there, or is JSON's null.
[[nodiscard]] inline json::value const* field(json::object const& o, std::string_view key)
{
    auto const* const v = o.if_contains(json::string_view(key.data(), key.size()));
    return v && v->is_null() ? nullptr : v;
}

[[nodiscard]] inline json::object const& as_object(json::value const& v, std::string_view what)
{
    if (!v.is_object()) throw bad_field(std::string(what) + " is not an object");
    return v.get_object();
}

[[nodiscard]] inline std::string as_text(json::value const& v, std::string_view what)
{
    if (!v.is_string()) throw bad_field(std::string(what) + " is not a string");
    return {v.get_string().data(), v.get_string().size()};
}

[[nodiscard]] inline json::object const& object_in(json::object const& o, std::string_view key)
{
    static json::object const none;
    auto const* const v = field(o, key);
    return v ? as_object(*v, key) : none;
}

[[nodiscard]] inline json::array const& array_in(json::object const& o, std::string_view key)
{
    static json::array const none;
    auto const* const v = field(o, key);
    if (!v) return none;
    if (!v->is_array()) throw bad_field(std::string(key) + " is not an array");
    return v->get_array();
}

[[nodiscard]] inline std::string text_in(json::object const& o, std::string_view key)
{
    auto const* const v = field(o, key);
    return v ? as_text(*v, key) : std::string();
}

[[nodiscard]] inline bool flag_in(json::object const& o, std::string_view key, bool otherwise = false)
{
    auto const* const v = field(o, key);
    if (!v) return otherwise;
    if (!v->is_bool()) throw bad_field(std::string(key) + " is not true or false");
    return v->get_bool();
}

/// A number from 0 to `most`, as a number or, as protobuf writes 64 bits, in a string.
[[nodiscard]] inline std::uint64_t number_in(json::object const& o, std::string_view key,
                                             std::uint64_t most = std::numeric_limits<std::uint64_t>::max(),
                                             std::uint64_t otherwise = 0)
{
    auto const* const v = field(o, key);
    if (!v) return otherwise;
    std::uint64_t n = 0;
    bool good = false;
    if (v->is_uint64()) {
        n = v->get_uint64();
        good = true;
    } else if (v->is_int64()) {
        n = static_cast<std::uint64_t>(v->get_int64());
        good = v->get_int64() >= 0;
    } else if (v->is_string()) {
        auto const& s = v->get_string();
        auto const [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
        good = error == std::errc{} && end == s.data() + s.size();
    }
    if (!good || n > most) throw bad_field(std::string(key) + " is not a number up to " + std::to_string(most));
    return n;
}

}  // namespace weir::registry::detail
