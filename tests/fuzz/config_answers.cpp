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
#include <string>
#include <string_view>

namespace config = weir::config;
namespace http = weir::http;

namespace {

template <class Read>
config::loaded checked(Read read)
{
    config::loaded l, again;
    auto const ec = read(l);
    if (read(again) != ec || again != l) std::abort();
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
    auto const api = kind % 3 == 1 ? config::detail::nacos_api::v1 : config::detail::nacos_api::v3;
    config::detail::nacos_key const key{.data_id = "shop.json", .group = "G", .tenant = "t"};
    auto const l =
        checked([&](config::loaded& out) { return config::detail::read_nacos_config(api, answer, key, out); });

    // The question to be held: one configuration, whose three separators are none of its fields'.
    auto const q = config::detail::nacos_config_listening(key, l.document.version, std::chrono::seconds(30));
    auto const& body = q.body();
    if (!body.starts_with("Listening-Configs=") || !body.ends_with("%02t%01")) std::abort();
    for (char const c : body.substr(18))
        if (c <= ' ' || c == '&' || c == '=' || c == '+' || c >= 0x7f) std::abort();
}

void spring(http::response const& answer)
{
    config::detail::spring_dialect const d("/shop/prod", {});
    auto const l = checked([&](config::loaded& out) { return d.read(answer, out); });
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
