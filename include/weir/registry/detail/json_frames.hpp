// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/strict_json.hpp>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/error.hpp>
#include <boost/json/parse_options.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::registry::detail {

/// Bounds of one frame.
struct json_frames_limits {
    std::size_t max_bytes = 8 * 1024 * 1024;
    std::size_t max_depth = 32;
};

/// Cuts a stream of bytes into the JSON objects it is made of, as the watches of etcd and Kubernetes send them: one
/// after the other, with or without white space in between, cut into pieces anywhere. As strict as parse_strict.
///
///   while (auto frame = frames.next(piece)) use(*frame);
///   if (!frames.why().empty()) give_up(frames.why());
///
/// Refuses: what is not a sequence of strict JSON objects, and an object over the limits. Nothing comes after that.
/// Cost:    each byte is looked at once; memory of one frame.
class json_frames {
public:
    using limits = json_frames_limits;

    explicit json_frames(limits l = {}) : limits_(l) {}
    json_frames(json_frames const&) = delete;

    /// The next object, once it is complete. Takes from `bytes` what it has used: all of it when there is no object.
    [[nodiscard]] std::optional<json::value> next(std::string_view& bytes);

    /// Empty as long as all was well; else what was wrong.
    [[nodiscard]] std::string const& why() const noexcept { return why_; }

    /// Whether the stream has stopped within an object.
    [[nodiscard]] bool within() const noexcept { return parser_.has_value(); }

private:
    using parser = json::basic_parser<strict_handler>;

    std::optional<json::value> refuse(std::string reason, std::string_view& bytes);

    limits limits_;
    std::optional<parser> parser_;  // of the object that has begun
    std::size_t size_ = 0;          // of it, so far
    std::string why_;
    std::string found_;  // by the parser's handler
};

// Bodies

inline std::optional<json::value> json_frames::next(std::string_view& bytes)
{
    if (!why_.empty()) return refuse(std::move(why_), bytes);
    if (!parser_) {
        bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
        if (bytes.empty()) return std::nullopt;
        if (bytes.front() != '{') return refuse("a frame is not a JSON object", bytes);
        json::parse_options options;
        options.max_depth = limits_.max_depth;
        parser_.emplace(options, found_);
        size_ = 0;
    }
    auto const allowed = bytes.substr(0, limits_.max_bytes - size_);
    json::error_code ec;
    auto const used = parser_->write_some(true, allowed.data(), allowed.size(), ec);
    size_ += used;
    if (ec)
        return refuse(
            "bad JSON at byte " + std::to_string(size_) + " of a frame: " + (found_.empty() ? ec.message() : found_),
            bytes);
    if (!parser_->done()) {
        if (used < bytes.size())
            return refuse("a frame is over " + std::to_string(limits_.max_bytes) + " bytes", bytes);
        bytes = {};
        return std::nullopt;
    }
    bytes.remove_prefix(used);
    auto value = parser_->handler().release();
    parser_.reset();
    return value;
}

inline std::optional<json::value> json_frames::refuse(std::string reason, std::string_view& bytes)
{
    why_ = std::move(reason);
    parser_.reset();
    bytes = {};
    return std::nullopt;
}

}  // namespace weir::registry::detail
