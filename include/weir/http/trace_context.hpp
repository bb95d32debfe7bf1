// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/random.hpp>
#include <weir/http/message.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace weir::http {

/// Which trace a request belongs to, and which span of it has sent it: W3C Trace Context, Recommendation of 2021-11-23,
/// headers `traceparent` and `tracestate`. weir records no spans; it carries on what others record:
///
///   asio::awaitable<http::response> handler(http::request r)
///   {
///       auto const ask = [&, trace = http::trace_of(r)](weir::attempt const& a) {
///           return client.async_send(a, http::traced(http::get("/stock"), trace), asio::deferred);
///       };
///       auto stock = co_await guarded.async_call(ask, asio::use_awaitable);
///
/// Seen in: examples/42_passed_on.cpp
struct trace_context {
    std::array<std::uint8_t, 16> trace_id{};  ///< of all spans of the trace; not all zero
    std::array<std::uint8_t, 8> parent_id{};  ///< of the span that sends the request; not all zero
    bool sampled = false;                     ///< the sender may have recorded it
    std::string state = {};                   ///< of the tracing systems on the way, handed on as it came

    [[nodiscard]] bool operator==(trace_context const&) const = default;
};

/// Reads a traceparent: version 00 strictly (3.2.2: 55 characters, hexadecimal digits in lower case, no id of zeros).
/// Of a later version, what 3.2.4 says is to be found in any: the same fields, and after them nothing, or a dash and
/// whatever. Nothing for all else, version ff too: then a new trace begins.
[[nodiscard]] std::optional<trace_context> parse_traceparent(std::string_view text) noexcept;

/// Writes it, in version 00. Flags that it does not know are zero (3.2.2.5.2).
[[nodiscard]] std::string format_traceparent(trace_context const& t);

/// A new span of the same trace.
template <random_source G>
[[nodiscard]] trace_context child_of(trace_context t, G& random);

/// The first span of a new trace.
template <random_source G>
[[nodiscard]] trace_context new_trace(bool sampled, G& random);

/// What a request says of its trace. Nothing if it does not say, says it twice, or not in the form of a traceparent:
/// then its tracestate means nothing either (3.3). A tracestate in several lines is joined; one of more than 4096
/// characters is left behind.
[[nodiscard]] std::optional<trace_context> trace_of(request const& r);

/// Has `r` say that it belongs to `t`, and nothing else of that kind.
void set_trace(request& r, trace_context const& t);

/// `r` as a child of what is being served; as it is where that has no trace. Each attempt is a span of its own.
template <random_source G = random_engine>
[[nodiscard]] request traced(request r, std::optional<trace_context> const& serving, G& random = thread_random())
{
    if (serving) set_trace(r, child_of(*serving, random));
    return r;
}

// Bodies

namespace detail {

inline constexpr std::string_view lower_hex = "0123456789abcdef";

[[nodiscard]] inline bool read_lower_hex(std::string_view text, std::span<std::uint8_t> to) noexcept
{
    for (std::size_t n = 0; n < to.size(); ++n) {
        auto const high = lower_hex.find(text[2 * n]), low = lower_hex.find(text[2 * n + 1]);
        if (high == lower_hex.npos || low == lower_hex.npos) return false;
        to[n] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return true;
}

inline void write_lower_hex(std::span<std::uint8_t const> from, std::string& to)
{
    for (auto const byte : from) (to += lower_hex[byte >> 4]) += lower_hex[byte & 15];
}

template <std::size_t Size>
[[nodiscard]] bool all_zero(std::array<std::uint8_t, Size> const& id) noexcept
{
    return std::all_of(id.begin(), id.end(), [](std::uint8_t byte) { return byte == 0; });
}

template <std::size_t Size, random_source G>
void draw_id(std::array<std::uint8_t, Size>& id, G& random)
{
    do {
        std::uint64_t bits = 0;
        for (std::size_t n = 0; n < Size; ++n) {
            if (n % 8 == 0) bits = random();
            id[n] = static_cast<std::uint8_t>(bits >> n % 8 * 8);
        }
    } while (all_zero(id));
}

}  // namespace detail

inline std::optional<trace_context> parse_traceparent(std::string_view text) noexcept
{
    constexpr std::size_t length = 55;  // version 2, dash, 32, dash, 16, dash, 2
    std::array<std::uint8_t, 1> version{}, flags{};
    trace_context t;
    if (text.size() < length || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
    if (!detail::read_lower_hex(text.substr(0, 2), version) ||
        !detail::read_lower_hex(text.substr(3, 32), t.trace_id) ||
        !detail::read_lower_hex(text.substr(36, 16), t.parent_id) || !detail::read_lower_hex(text.substr(53, 2), flags))
        return std::nullopt;
    if (version[0] == 0xff || detail::all_zero(t.trace_id) || detail::all_zero(t.parent_id)) return std::nullopt;
    if (text.size() > length && (version[0] == 0 || text[length] != '-')) return std::nullopt;
    t.sampled = (flags[0] & 1) != 0;
    return t;
}

inline std::string format_traceparent(trace_context const& t)
{
    std::string text = "00-";
    text.reserve(55);
    detail::write_lower_hex(t.trace_id, text);
    text += '-';
    detail::write_lower_hex(t.parent_id, text);
    return text += t.sampled ? "-01" : "-00";
}

template <random_source G>
trace_context child_of(trace_context t, G& random)
{
    detail::draw_id(t.parent_id, random);
    return t;
}

template <random_source G>
trace_context new_trace(bool sampled, G& random)
{
    trace_context t;
    detail::draw_id(t.trace_id, random);
    detail::draw_id(t.parent_id, random);
    t.sampled = sampled;
    return t;
}

inline std::optional<trace_context> trace_of(request const& r)
{
    auto const [first, last] = r.equal_range("traceparent");
    if (first == last || std::next(first) != last) return std::nullopt;
    auto t = parse_traceparent(std::string_view(first->value().data(), first->value().size()));
    if (!t) return std::nullopt;
    auto const [from, to] = r.equal_range("tracestate");
    for (auto line = from; line != to; ++line) {
        if (line->value().empty()) continue;
        if (!t->state.empty()) t->state += ',';
        t->state.append(line->value().data(), line->value().size());
    }
    if (t->state.size() > 4096) t->state.clear();
    return t;
}

inline void set_trace(request& r, trace_context const& t)
{
    r.set("traceparent", format_traceparent(t));
    if (t.state.empty())
        r.erase("tracestate");
    else
        r.set("tracestate", t.state);
}

}  // namespace weir::http
