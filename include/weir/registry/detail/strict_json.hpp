// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/error.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_stack.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace weir::registry::detail {

namespace json = boost::json;

/// Parses a document from outside. Boost.JSON by itself takes the last of two equal keys, and turns 1e400 into
/// infinity: both are refused here, so that nobody reads another meaning from a document than the next reader.
/// Refuses: what is not JSON, depth over `max_depth`, an object with one key twice, a number that a double cannot hold.
/// Then `why` says what was wrong and where.
[[nodiscard]] std::optional<json::value> parse_strict(std::string_view text, std::string& why,
                                                      std::size_t max_depth = 32);

// Bodies

class strict_handler {
public:
    using error_code = json::error_code;
    using text = json::string_view;

    static constexpr std::size_t max_object_size = json::object::max_size();
    static constexpr std::size_t max_array_size = json::array::max_size();
    static constexpr std::size_t max_key_size = json::string::max_size();
    static constexpr std::size_t max_string_size = json::string::max_size();

    explicit strict_handler(std::string& why) : why_(why) {}

    [[nodiscard]] json::value release() { return values_.release(); }

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }

    bool on_object_begin(error_code&) { return keys_.emplace_back(), true; }
    bool on_object_end(std::size_t n, error_code&)
    {
        values_.push_object(n);
        keys_.pop_back();
        return true;
    }
    bool on_array_begin(error_code&) { return true; }
    bool on_array_end(std::size_t n, error_code&) { return values_.push_array(n), true; }

    bool on_key_part(text s, std::size_t, error_code&)
    {
        key_.append(s.data(), s.size());
        values_.push_chars(s);
        return true;
    }
    bool on_key(text s, std::size_t, error_code& ec)
    {
        key_.append(s.data(), s.size());
        values_.push_key(s);
        auto const [at, fresh] = keys_.back().insert(std::exchange(key_, {}));
        return fresh || refuse("the key \"" + at->substr(0, 80) + "\" appears twice in one object", ec);
    }
    bool on_string_part(text s, std::size_t, error_code&) { return values_.push_chars(s), true; }
    bool on_string(text s, std::size_t, error_code&) { return values_.push_string(s), true; }
    bool on_number_part(text, error_code&) { return true; }
    bool on_int64(std::int64_t i, text, error_code&) { return values_.push_int64(i), true; }
    bool on_uint64(std::uint64_t u, text, error_code&) { return values_.push_uint64(u), true; }
    bool on_double(double d, text, error_code& ec)
    {
        if (!std::isfinite(d)) return refuse("a number is too large", ec);
        return values_.push_double(d), true;
    }
    bool on_bool(bool b, error_code&) { return values_.push_bool(b), true; }
    bool on_null(error_code&) { return values_.push_null(), true; }
    bool on_comment_part(text, error_code&) { return true; }
    bool on_comment(text, error_code&) { return true; }

private:
    bool refuse(std::string reason, error_code& ec)
    {
        why_ = std::move(reason);
        ec = json::make_error_code(json::error::syntax);
        return false;
    }

    std::string& why_;
    json::value_stack values_;
    std::vector<std::unordered_set<std::string>> keys_;  // of the objects that are open
    std::string key_;
};

inline std::optional<json::value> parse_strict(std::string_view text, std::string& why, std::size_t max_depth)
{
    json::parse_options options;
    options.max_depth = max_depth;
    why.clear();
    json::basic_parser<strict_handler> parser(options, why);
    json::error_code ec;
    auto const read = parser.write_some(false, text.data(), text.size(), ec);
    if (!ec && read < text.size()) why = "something follows the document";
    if (ec && why.empty()) why = ec.message();
    if (!why.empty()) {
        why = "bad JSON at byte " + std::to_string(read) + ": " + why;
        return std::nullopt;
    }
    return parser.handler().release();
}

}  // namespace weir::registry::detail
