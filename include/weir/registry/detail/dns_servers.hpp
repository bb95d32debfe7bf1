// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace weir::registry::detail {

/// A DNS server: an address, or a name for the system's resolver.
struct dns_server {
    std::string host;
    std::uint16_t port = 53;

    friend bool operator==(dns_server const&, dns_server const&) = default;
};

/// `host`, `host:port`, `[v6]:port` or a bare IPv6 address.
[[nodiscard]] std::optional<dns_server> read_dns_server(std::string_view text);

[[nodiscard]] inline std::string to_string(dns_server const& s)
{
    bool const v6 = s.host.find(':') != s.host.npos;
    return (v6 ? "[" + s.host + "]" : s.host) + ":" + std::to_string(s.port);
}

/// The `nameserver` lines of a resolv.conf (man 5 resolv.conf); as there, this machine if there are none. Other lines
/// are not for us: names are asked for as they are, without search domains.
[[nodiscard]] std::vector<dns_server> read_resolv_conf(std::string_view text);

// Bodies

inline std::optional<dns_server> read_dns_server(std::string_view text)
{
    dns_server s;
    boost::system::error_code bad;
    auto rest = std::string_view();
    if (text.starts_with('[')) {
        auto const close = text.find(']');
        if (close == text.npos) return std::nullopt;
        s.host = text.substr(1, close - 1);
        rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':') return std::nullopt;
        (void)boost::asio::ip::make_address_v6(s.host, bad);
        if (bad) return std::nullopt;
    } else if ((void)boost::asio::ip::make_address_v6(std::string(text), bad); !bad) {
        s.host = text;
    } else {
        s.host = text.substr(0, text.find(':'));
        rest = text.substr(s.host.size());
        if (s.host.empty()) return std::nullopt;
        for (char const c : s.host)
            if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '.' && c != '-' &&
                c != '_')
                return std::nullopt;
    }
    if (rest.empty()) return s;
    rest.remove_prefix(1);
    auto const [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), s.port);
    if (error != std::errc{} || end != rest.data() + rest.size() || s.port == 0) return std::nullopt;
    return s;
}

inline std::vector<dns_server> read_resolv_conf(std::string_view text)
{
    std::vector<dns_server> out;
    while (!text.empty()) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
        constexpr std::string_view key = "nameserver", blank = " \t\r";
        if (!line.starts_with(key)) continue;
        line.remove_prefix(key.size());
        auto const first = line.find_first_not_of(blank);
        if (first == line.npos || first == 0) continue;
        line.remove_prefix(first);
        line = line.substr(0, line.find_first_of(blank));
        boost::system::error_code bad;
        (void)boost::asio::ip::make_address(std::string(line), bad);
        if (!bad) out.push_back({std::string(line), 53});
    }
    if (out.empty()) out.push_back({"127.0.0.1", 53});
    return out;
}

}  // namespace weir::registry::detail
