// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/registry/detail/dns_answer.hpp>
#include <weir/registry/detail/dns_servers.hpp>
#include <weir/registry/watch_options.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace weir::registry {

/// What is asked of a DNS server.
enum class dns_type : std::uint8_t {
    srv,      ///< SRV records (RFC 2782), which have ports and weights
    address,  ///< A or AAAA records, with `dns_options.port`
};

/// Which addresses are taken. An instance that has one of each kind is one instance: only one kind is used.
enum class dns_family : std::uint8_t {
    v4_first,  ///< IPv4; IPv6 where there is none
    v6_first,  ///< IPv6; IPv4 where there is none
    v4_only,
    v6_only,
};

/// Options of registry::dns.
struct dns_options {
    /// `host`, `host:port` or `[v6]:port`; asked in turn, the next one after a failure. Empty: what /etc/resolv.conf
    /// says, read again at every question.
    std::vector<std::string> servers = {};

    /// What is asked for: {service}, {tag} and {datacenter} are the query's; labels that are left empty are dropped.
    /// Consul: "{tag}.{service}.service.{datacenter}.consul". Always a full name: no search domains.
    std::string name = "{service}";
    dns_type type = dns_type::srv;
    std::uint16_t port = 0;  ///< of every instance, with dns_type::address; SRV records have their own
    dns_family family = dns_family::v4_first;

    /// Ask over TCP only. Needed with Consul when a service has many instances: over UDP it leaves some out and does
    /// not say so (its enable_truncate is off unless set).
    bool tcp = false;
    duration try_timeout = std::chrono::seconds(1);  ///< of one question to one server
    unsigned rounds = 2;                             ///< how often all servers are tried before a question has failed
    duration timeout = std::chrono::seconds(5);      ///< of finding all of a service, with the addresses

    /// The set is read again when 80 % of the shortest TTL of what it was made of have passed, or of the negative TTL;
    /// but not before `min_ttl`, and by `max_ttl`.
    duration min_ttl = std::chrono::seconds(1);
    duration max_ttl = std::chrono::seconds(60);

    watch_options watch = {};                      ///< its two timeouts are made of the above, whatever they say
    std::string resolv_conf = "/etc/resolv.conf";  ///< where servers are found when none is given

    /// Throws: std::invalid_argument, naming the first field that is out of range.
    void check() const;
};

// Bodies

inline void dns_options::check() const
{
    using weir::detail::bad_option;
    for (auto const& s : servers)
        if (!detail::read_dns_server(s))
            throw std::invalid_argument("weir: dns_options.servers must be like 127.0.0.1, 127.0.0.1:8600 or [::1]:53");
    std::string why;
    if (detail::fill_dns_name(name, {.service = "s", .tag = name.find("{tag}") == name.npos ? "" : "t"}, why).empty())
        throw std::invalid_argument(
            "weir: dns_options.name must make a DNS name when {service}, {tag} and {datacenter} "
            "are filled in");
    if (type == dns_type::address && port == 0)
        bad_option("dns_options.port", "in [1, 65535] with dns_type::address", port);
    if (try_timeout <= duration::zero()) bad_option("dns_options.try_timeout", "above 0 ms", try_timeout);
    if (rounds < 1 || rounds > 100) bad_option("dns_options.rounds", "in [1, 100]", rounds);
    if (timeout <= duration::zero() || timeout > std::chrono::hours(1))
        bad_option("dns_options.timeout", "in (0, 3600000] ms", timeout);
    if (min_ttl <= duration::zero()) bad_option("dns_options.min_ttl", "above 0 ms", min_ttl);
    if (max_ttl < min_ttl || max_ttl > std::chrono::hours(24))
        bad_option("dns_options.max_ttl", "from min_ttl to 24 hours", max_ttl);
}

}  // namespace weir::registry
