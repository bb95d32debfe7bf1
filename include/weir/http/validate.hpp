// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/message.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <string_view>

namespace weir::http {

/// Beast writes what it is given: a CR or LF in a target or a header value goes to the wire and becomes a second
/// header, or a second request. These checks stand in front of it. Each answers for a piece of a message; `defect_in`
/// for a whole one, with a sentence that says what is wrong, or nothing when it may be sent.
///
/// Threads: functions of their arguments.   Cost: one table look-up a character; no allocation.

/// A method or a header's name (RFC 9110, 5.6.2).
[[nodiscard]] constexpr bool valid_token(std::string_view text) noexcept;

/// The path and query of a request: "/" and then visible ASCII. Anything else has to be percent-encoded, and a fragment
/// is never sent.
[[nodiscard]] constexpr bool valid_target(std::string_view text) noexcept;

/// A header's value: no controls but the tab, so no CR, LF or NUL, and no folding over lines.
[[nodiscard]] constexpr bool valid_field_value(std::string_view text) noexcept;

/// What makes this request unfit to be written; empty when it is fit.
[[nodiscard]] inline std::string_view defect_in(request const& r) noexcept;

/// What makes the length of a received message doubtful; empty when it is beyond doubt. Beast refuses a length beside a
/// transfer coding and two lengths that differ, but takes any coding that does not end in "chunked" for "no body at
/// all", which the next hop may see otherwise.
template <bool IsRequest>
[[nodiscard]] std::string_view framing_defect(beast::http::header<IsRequest> const& header) noexcept;

// Bodies

namespace detail {

inline constexpr unsigned char token_char = 1, target_char = 2, value_char = 4;

[[nodiscard]] consteval std::array<unsigned char, 256> character_classes()
{
    std::array<unsigned char, 256> t{};
    for (std::size_t c = 0; c < 256; ++c) {
        bool const visible = c > 0x20 && c < 0x7f;
        if (visible && c != '#') t[c] |= target_char;
        if (visible || c == ' ' || c == '\t' || c >= 0x80) t[c] |= value_char;
    }
    for (char const c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                         "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
        t[static_cast<unsigned char>(c)] |= token_char;
    return t;
}

inline constexpr auto classes = character_classes();

[[nodiscard]] constexpr bool all_of_class(std::string_view text, unsigned char wanted) noexcept
{
    unsigned char common = wanted;
    for (char const c : text) common &= classes[static_cast<unsigned char>(c)];
    return common != 0;
}

[[nodiscard]] inline std::string_view view(beast::string_view s) noexcept { return {s.data(), s.size()}; }

}  // namespace detail

constexpr bool valid_token(std::string_view text) noexcept
{
    return !text.empty() && detail::all_of_class(text, detail::token_char);
}

constexpr bool valid_target(std::string_view text) noexcept
{
    return !text.empty() && text.front() == '/' && detail::all_of_class(text, detail::target_char);
}

constexpr bool valid_field_value(std::string_view text) noexcept
{
    return detail::all_of_class(text, detail::value_char);
}

inline std::string_view defect_in(request const& r) noexcept
{
    using detail::view;
    if (r.version() != 11) return "version: only HTTP/1.1 is spoken";
    if (r.method() == verb::connect) return "method: CONNECT is not a request for this client";
    if (r.method() == verb::unknown && !valid_token(view(r.method_string()))) return "method: is not a token";
    if (r.method() == verb::trace && !r.body().empty()) return "body: TRACE has none";
    auto const target = view(r.target());
    if (!valid_target(target) && !(target == "*" && r.method() == verb::options))
        return "target: must start with '/' and be visible ASCII without '#'; percent-encode the rest";
    int hosts = 0;
    for (auto const& f : r) {
        if (f.name() == field::unknown && !valid_token(view(f.name_string()))) return "header name: is not a token";
        auto const value = view(f.value());
        if (!valid_field_value(value)) return "header value: has a control character";
        switch (f.name()) {
            case field::host:
                if (++hosts > 1) return "Host: more than one";
                break;
            case field::transfer_encoding: return "Transfer-Encoding: the client frames the body itself";
            case field::content_length: {
                std::size_t length = 0;
                auto const [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
                if (error != std::errc{} || end != value.data() + value.size() || length != r.body().size())
                    return "Content-Length: differs from the body; leave it to the client";
                break;
            }
            default: break;
        }
    }
    return {};
}

template <bool IsRequest>
std::string_view framing_defect(beast::http::header<IsRequest> const& header) noexcept
{
    auto const [first, last] = header.equal_range(field::transfer_encoding);
    if (first != last) {
        if (header.version() < 11) return "Transfer-Encoding: in HTTP/1.0";
        if (std::next(first) != last || !beast::iequals(first->value(), "chunked"))
            return "Transfer-Encoding: is not just \"chunked\"";
        if (header.find(field::content_length) != header.end()) return "Transfer-Encoding: beside a Content-Length";
    }
    return {};
}

}  // namespace weir::http
