// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace weir {

namespace beast = boost::beast;

}  // namespace weir

namespace weir::http {

/// What goes over the wire: Beast's own messages with the body in a string, so that everything Beast offers works on
/// them.
using request = beast::http::request<beast::http::string_body>;
using response = beast::http::response<beast::http::string_body>;
using beast::http::field;
using beast::http::status;
using beast::http::verb;

/// Doing it twice has the effect of doing it once (RFC 9110, 9.2.2), so it may be sent again when nobody knows whether
/// the first one arrived.
[[nodiscard]] constexpr bool idempotent(verb method) noexcept
{
    switch (method) {
        case verb::get:
        case verb::head:
        case verb::put:
        case verb::delete_:
        case verb::options:
        case verb::trace: return true;
        default: return false;
    }
}

[[nodiscard]] inline request make_request(verb method, std::string_view target)
{
    return request(method, beast::string_view(target.data(), target.size()), 11);
}

[[nodiscard]] inline request make_request(verb method, std::string_view target, std::string body,
                                          std::string_view content_type)
{
    auto r = make_request(method, target);
    r.set(field::content_type, beast::string_view(content_type.data(), content_type.size()));
    r.body() = std::move(body);
    return r;
}

[[nodiscard]] inline request get(std::string_view target) { return make_request(verb::get, target); }
[[nodiscard]] inline request head(std::string_view target) { return make_request(verb::head, target); }
[[nodiscard]] inline request del(std::string_view target) { return make_request(verb::delete_, target); }

[[nodiscard]] inline request put(std::string_view target, std::string body,
                                 std::string_view content_type = "application/json")
{
    return make_request(verb::put, target, std::move(body), content_type);
}

[[nodiscard]] inline request post(std::string_view target, std::string body,
                                  std::string_view content_type = "application/json")
{
    return make_request(verb::post, target, std::move(body), content_type);
}

/// An answer, for handlers of http::server.
[[nodiscard]] inline response reply(status code, std::string body = {}, std::string_view content_type = "text/plain")
{
    response r(code, 11);
    if (!body.empty()) r.set(field::content_type, beast::string_view(content_type.data(), content_type.size()));
    r.body() = std::move(body);
    return r;
}

}  // namespace weir::http
