// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/json_fields.hpp>
#include <weir/registry/detail/strict_json.hpp>
#include <weir/registry/instance.hpp>

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::registry::detail {

/// How an instance is written under a key of etcd: see registry/etcd.hpp. Functions of their arguments.

[[nodiscard]] std::string write_etcd_instance(instance const& i);

/// Reads our own layout, that of kratos (`{"endpoints":["http://10.0.0.7:8080"],...}`) and that of go-zero
/// (`10.0.0.7:8080`). Nothing when it is none of them, and `why` says what is wrong.
[[nodiscard]] std::optional<instance> read_etcd_instance(std::string service, std::string id, std::string_view value,
                                                         std::string& why);

/// A part of a key, with what is not a letter, a digit or one of `-._~:@` as %XX: it has no slash.
[[nodiscard]] std::string etcd_key_part(std::string_view text);

/// And back. Nothing when it is not what etcd_key_part can have made.
[[nodiscard]] std::optional<std::string> read_etcd_key_part(std::string_view part);

// Bodies

inline std::string write_etcd_instance(instance const& i)
{
    auto const state = to_string(i.state);
    json::object meta;
    for (auto const& [key, value] : i.address.metadata) meta[key] = value;
    return json::serialize(json::object{{"address", i.address.host},
                                        {"port", i.address.port},
                                        {"weight", i.address.weight},
                                        {"state", json::string(state.data(), state.size())},
                                        {"tags", json::array(i.tags.begin(), i.tags.end())},
                                        {"meta", std::move(meta)}});
}

// host:port, with IPv6 in brackets.
inline void read_etcd_address(std::string_view text, instance& i)
{
    auto const colon = text.rfind(':');
    if (colon == text.npos) throw bad_field("the address has no port");
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != host.npos)
        throw bad_field("an IPv6 address must be in brackets");
    auto const port = text.substr(colon + 1);
    unsigned number = 0;
    auto const [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || end != port.data() + port.size() || number < 1 || number > 65535)
        throw bad_field("the port is not a number from 1 to 65535");
    i.address.host = host;
    i.address.port = static_cast<std::uint16_t>(number);
}

inline void read_etcd_own(json::object const& o, instance& i)
{
    i.address.host = text_in(o, "address");
    i.address.port = static_cast<std::uint16_t>(number_in(o, "port", 65535));
    i.address.weight = static_cast<std::uint32_t>(number_in(o, "weight", std::numeric_limits<std::uint32_t>::max(), 1));
    // A state that is not known here does not count as good.
    auto const state = text_in(o, "state");
    i.state = state.empty() || state == "passing" ? health::passing
              : state == "warning"                ? health::warning
                                                  : health::critical;
    for (auto const& t : array_in(o, "tags")) i.tags.push_back(as_text(t, "a tag"));
    for (auto const& [key, value] : object_in(o, "meta"))
        i.address.metadata.emplace(std::string(key.data(), key.size()), as_text(value, "a value of meta"));
}

inline void read_etcd_kratos(json::object const& o, instance& i)
{
    auto const& endpoints = array_in(o, "endpoints");
    if (endpoints.empty()) throw bad_field("endpoints is empty");
    auto const url = as_text(endpoints[0], "an endpoint");
    auto const scheme = url.find("://");
    if (scheme == url.npos) throw bad_field("an endpoint is not a URL");
    auto const authority = std::string_view(url).substr(scheme + 3);
    read_etcd_address(authority.substr(0, authority.find_first_of("/?#")), i);
    for (auto const& [key, value] : object_in(o, "metadata"))
        i.address.metadata.emplace(std::string(key.data(), key.size()), as_text(value, "a value of metadata"));
    if (auto version = text_in(o, "version"); !version.empty())
        i.address.metadata.emplace("version", std::move(version));
}

inline std::optional<instance> read_etcd_instance(std::string service, std::string id, std::string_view value,
                                                  std::string& why)
{
    instance i;
    i.service = std::move(service);
    i.address.id = std::move(id);
    try {
        if (value.find('{') == value.npos) {
            read_etcd_address(value, i);
        } else {
            auto const document = parse_strict(value, why);
            if (!document) return std::nullopt;
            auto const& o = as_object(*document, "the value");
            if (field(o, "endpoints"))
                read_etcd_kratos(o, i);
            else
                read_etcd_own(o, i);
        }
        if (i.address.host.empty()) throw bad_field("address is empty");
        for (char const c : i.address.host)
            if (c <= 0x20 || c >= 0x7f) throw bad_field("address is not visible ASCII");
        if (i.address.port == 0) throw bad_field("port is 0");
    } catch (bad_field const& bad) {
        why = bad.what();
        return std::nullopt;
    }
    if (auto const zone = i.address.metadata.find("zone"); zone != i.address.metadata.end())
        i.address.zone = zone->second;
    std::sort(i.tags.begin(), i.tags.end());
    return i;
}

inline bool plain_in_etcd_key(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~:@").find(c) != std::string_view::npos;
}

inline std::string etcd_key_part(std::string_view text)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (char const c : text) {
        if (plain_in_etcd_key(c)) {
            out += c;
            continue;
        }
        auto const byte = static_cast<unsigned char>(c);
        out += '%';
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

inline std::optional<std::string> read_etcd_key_part(std::string_view part)
{
    if (part.empty()) return std::nullopt;
    auto const digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
    std::string out;
    for (std::size_t at = 0; at < part.size(); ++at) {
        if (part[at] != '%') {
            // Others write more than we would; only a slash is no part of an id.
            if (part[at] == '/') return std::nullopt;
            out += part[at];
            continue;
        }
        int const high = at + 2 < part.size() ? digit(part[at + 1]) : -1,
                  low = at + 2 < part.size() ? digit(part[at + 2]) : -1;
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        at += 2;
    }
    return out;
}

}  // namespace weir::registry::detail
