// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/client_options.hpp>
#include <weir/http/message.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace weir::http::detail {

[[nodiscard]] inline std::string host_header(client_options const& o, std::string_view host, std::uint16_t port)
{
    if (!o.host_header.empty()) return o.host_header;
    bool const v6 = host.find(':') != host.npos;
    return (v6 ? "[" + std::string(host) + ']' : std::string(host)) + ':' + std::to_string(port);
}

/// Puts in what every request has, where the caller has not. The body's length is known, so it never goes in chunks.
inline void fill_in(request& r, client_options const& o, std::string_view host, std::uint16_t port)
{
    if (r.find(field::host) == r.end()) r.set(field::host, host_header(o, host, port));
    if (!o.user_agent.empty() && r.find(field::user_agent) == r.end()) r.set(field::user_agent, o.user_agent);
    r.prepare_payload();
}

/// What goes out for `r`, which has been found without defect and completed: its head, written into `head`, and its
/// body. Beast's serializer can do far more, and is compiled for each of the eight ways in which a body can go out.
[[nodiscard]] inline std::array<asio::const_buffer, 2> bytes_of(request const& r, std::string& head)
{
    auto const put = [&head](beast::string_view text) { head.append(text.data(), text.size()); };
    head.clear();
    put(r.method_string());
    put(" ");
    put(r.target());
    put(" HTTP/1.1\r\n");
    for (auto const& f : r) {
        put(f.name_string());
        put(": ");
        put(f.value());
        put("\r\n");
    }
    put("\r\n");
    return {asio::buffer(head), asio::buffer(r.body())};
}

/// Until all is written, as asio::transfer_all, but offered to the system whole: that one offers 64 KiB at a time, with
/// which a body of a megabyte costs three times as much.
struct all_at_once {
    [[nodiscard]] std::size_t operator()(boost::system::error_code const& ec, std::size_t) const noexcept
    {
        return ec ? 0 : std::numeric_limits<std::size_t>::max();
    }
};

}  // namespace weir::http::detail
