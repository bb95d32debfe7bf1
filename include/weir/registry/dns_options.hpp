// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/registry/detail/dns_answer.hpp>
#include <weir/registry/detail/registry_url.hpp>
#include <weir/registry/watch_options.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

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
    /// `dns://[host[:port][,host[:port]...]][/name][?type=srv|address&port=8080&tcp=true&min_ttl=1s&max_ttl=60s]`. What
    /// it says of the fields below wins. The servers are asked in turn, the next one after a failure; without any they
    /// are those of /etc/resolv.conf, which is read again at every question.
    std::string url = "dns://";

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

    /// The servers. Throws: std::invalid_argument, with a sentence that quotes what was given.
    [[nodiscard]] detail::registry_url address() const;

    /// With what the URL says in the fields. Throws: std::invalid_argument, naming the first field out of range.
    [[nodiscard]] dns_options checked() const;
};

// Bodies

inline detail::registry_url dns_options::address() const
{
    return detail::registry_url::parse(url, {.scheme = "dns",
                                             .example = "dns://127.0.0.1:53/_web._tcp.example.org",
                                             .port = 53,
                                             .parameters = {"type", "port", "tcp", "min_ttl", "max_ttl"},
                                             .servers = detail::registry_url_form::optional,
                                             .http = false});
}

inline dns_options dns_options::checked() const
{
    using weir::detail::bad_option;
    auto o = *this;
    auto const u = address();
    if (!u.path.empty()) o.name = u.path.substr(1);
    if (auto const t = u.text("type"); t == "srv" || t == "address")
        o.type = t == "srv" ? dns_type::srv : dns_type::address;
    else if (u.has("type"))
        u.refuse("the parameter type must be srv or address");
    o.port = static_cast<std::uint16_t>(u.number("port", o.port, 65535));
    o.tcp = u.flag("tcp", o.tcp);
    o.min_ttl = u.span("min_ttl", o.min_ttl);
    o.max_ttl = u.span("max_ttl", o.max_ttl);

    std::string why;
    query const any{.service = "s", .tag = o.name.find("{tag}") == o.name.npos ? "" : "t"};
    if (detail::fill_dns_name(o.name, any, why).empty())
        throw std::invalid_argument(
            "weir: dns_options.name must make a DNS name when {service}, {tag} and {datacenter} "
            "are filled in");
    if (o.type == dns_type::address && o.port == 0)
        bad_option("dns_options.port", "in [1, 65535] with dns_type::address", o.port);
    if (o.try_timeout <= duration::zero()) bad_option("dns_options.try_timeout", "above 0 ms", o.try_timeout);
    if (o.rounds < 1 || o.rounds > 100) bad_option("dns_options.rounds", "in [1, 100]", o.rounds);
    if (o.timeout <= duration::zero() || o.timeout > std::chrono::hours(1))
        bad_option("dns_options.timeout", "in (0, 3600000] ms", o.timeout);
    if (o.min_ttl <= duration::zero()) bad_option("dns_options.min_ttl", "above 0 ms", o.min_ttl);
    if (o.max_ttl < o.min_ttl || o.max_ttl > std::chrono::hours(24))
        bad_option("dns_options.max_ttl", "from min_ttl to 24 hours", o.max_ttl);
    o.watch.check();
    return o;
}

}  // namespace weir::registry
