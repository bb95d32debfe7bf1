// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/endpoint.hpp>

#include <boost/asio/ip/address.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace weir::registry::detail {

/// A DNS server: an address, or a name for the system's resolver.
[[nodiscard]] inline endpoint dns_server(std::string host, std::uint16_t port = 53)
{
    bool const v6 = host.find(':') != host.npos;
    return {.id = (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port), .host = host, .port = port};
}

/// The `nameserver` lines of a resolv.conf (man 5 resolv.conf); as there, this machine if there are none. Other lines
/// are not for us: names are asked for as they are, without search domains.
[[nodiscard]] inline std::vector<endpoint> read_resolv_conf(std::string_view text)
{
    std::vector<endpoint> out;
    while (!text.empty()) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
        constexpr std::string_view key = "nameserver", blank = " \t\r";
        if (!line.starts_with(key)) continue;
        line.remove_prefix(key.size());
        auto const first = line.find_first_not_of(blank);
        if (first == line.npos || first == 0) continue;
        line.remove_prefix(first);
        std::string const host(line.substr(0, line.find_first_of(blank)));
        boost::system::error_code bad;
        (void)boost::asio::ip::make_address(host, bad);
        if (!bad) out.push_back(dns_server(host));
    }
    if (out.empty()) out.push_back(dns_server("127.0.0.1"));
    return out;
}

}  // namespace weir::registry::detail
