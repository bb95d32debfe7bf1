// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Answers of servers of configuration: Nacos' in both interfaces, and what it is then asked to wait for; Spring Cloud
// Config's. Each gives a document with a version, none, or an error that says why; the same answer gives the same.
#include <weir/config/detail/nacos_config_document.hpp>
#include <weir/config/detail/spring_document.hpp>
#include <weir/registry/detail/strict_json.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace config = weir::config;
namespace http = weir::http;

namespace {

config::loaded checked(config::detail::http_dialect& d, http::response const& answer)
{
    config::loaded l, again;
    auto const ec = d.read(answer, l);
    if (d.read(answer, again) != ec || again != l) std::abort();
    if (ec ? l.note.empty() : l.missing && l.note.empty()) std::abort();
    if (ec) l.document = {};
    return l;
}

// The first line of the body is what a v1 server says in its headers.
void nacos(std::uint8_t kind, http::response answer)
{
    auto const head = answer.body().substr(0, answer.body().find('\n'));
    answer.set("Content-MD5", head);
    answer.set("Config-Type", head);
    std::optional<config::detail::nacos_api> api;
    if (kind % 3 != 0) api = kind % 3 == 1 ? config::detail::nacos_api::v1 : config::detail::nacos_api::v3;
    config::detail::nacos_dialect d({.data_id = "shop.json", .group = "G", .tenant = "t"}, api,
                                    std::chrono::seconds(30));
    if (d.ask_otherwise(answer) && d.ask_otherwise(answer)) std::abort();
    auto const l = checked(d, answer);

    // The question to be held: one configuration, whose three separators are none of its fields'.
    http::request q;
    if (!d.waiting_question(l.document.version, q)) return;
    auto const& body = q.body();
    if (!body.starts_with("Listening-Configs=") || !body.ends_with("%02t%01")) std::abort();
    for (char const c : body.substr(18))
        if (c <= ' ' || c == '&' || c == '=' || c == '+' || c >= 0x7f) std::abort();
}

void spring(http::response const& answer)
{
    config::detail::spring_dialect d("/shop/prod", {});
    auto const l = checked(d, answer);
    if (l.document.bytes.empty()) return;
    std::string why;
    auto const read = weir::registry::detail::parse_strict(l.document.bytes, why, 64);
    if (!read || !read->is_object() || l.document.version.empty()) std::abort();
    if (l.document.bytes.size() > 40 * 4096 * 40) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size < 2) return 0;
    constexpr std::array statuses{200u, 404u, 500u, 403u, 410u, 204u, 304u, 429u};
    http::response answer;
    answer.result(statuses[data[1] % statuses.size()]);
    answer.body().assign(reinterpret_cast<char const*>(data) + 2, size - 2);
    if (data[0] % 4 == 3)
        spring(answer);
    else
        nacos(data[0] % 4, answer);
    return 0;
}
