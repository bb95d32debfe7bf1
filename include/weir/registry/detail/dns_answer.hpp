// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/dns_message.hpp>
#include <weir/registry/instance.hpp>

#include <boost/system/error_code.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// What DNS messages mean. Functions of their arguments.

/// The addresses of one name.
struct dns_addresses {
    std::vector<std::string> v4 = {}, v6 = {};
    std::uint32_t ttl = 0x7fff'ffff;  ///< of the shortest-lived
};

/// The addresses that records have, by name.
[[nodiscard]] std::map<std::string, dns_addresses> collect_addresses(std::vector<dns_record> const& records);

/// What a message says of a name and a type.
struct dns_answer {
    enum class kind : std::uint8_t {
        found,   ///< `records`
        none,    ///< there are none: no such name, or none of this type
        alias,   ///< the message ends with an alias: ask for `alias`
        failed,  ///< the server could not or would not say: `error`, `why`
    };
    kind what = kind::none;
    std::vector<dns_record> records = {};
    std::map<std::string, dns_addresses> additional = {};  ///< addresses that came along, with `found`
    std::string alias = {};
    std::uint32_t ttl = 0;  ///< seconds for which this may be believed; 0 also where the server did not say
    boost::system::error_code error = {};
    std::string why = {};
};

/// Aliases are followed as far as the message has them. `name` is canonical.
[[nodiscard]] dns_answer read_dns_answer(dns_message const& m, std::string_view name, dns_record_type type);

/// The name to ask for: `pattern` with {service}, {tag} and {datacenter} filled in from the query, and labels that are
/// left empty by that dropped. Nothing when that gives no valid name, or the query has a tag and the pattern no place
/// for it; then `why` says so.
[[nodiscard]] std::string fill_dns_name(std::string_view pattern, query const& q, std::string& why);

/// An instance at an address.
[[nodiscard]] instance dns_instance(std::string const& address, std::uint16_t port, query const& q);

/// SRV records in weir's words, by the addresses of their targets; records whose target is not in `addresses` are left
/// out. The records of the best priority get their weights, those of the others are there with weight 0, which a
/// balancer gives no traffic: they are for when the better ones are withdrawn. A weight of 0 beside others is "very
/// small" (RFC 2782): a hundredth of the weight 1.
[[nodiscard]] std::vector<instance> srv_instances(std::vector<dns_record> records,
                                                  std::map<std::string, std::vector<std::string>> const& addresses,
                                                  query const& q);

// Bodies

inline std::string dns_rcode_text(unsigned rcode)
{
    switch (rcode) {
        case 1: return "FORMERR";
        case 2: return "SERVFAIL";
        case 3: return "NXDOMAIN";
        case 4: return "NOTIMP";
        case 5: return "REFUSED";
        case 9: return "NOTAUTH";
        case 16: return "BADVERS";
        default: return "RCODE " + std::to_string(rcode);
    }
}

inline dns_answer read_dns_answer(dns_message const& m, std::string_view name, dns_record_type type)
{
    auto const fail = [](errc e, std::string why) {
        return dns_answer{.what = dns_answer::kind::failed, .error = make_error_code(e), .why = std::move(why)};
    };
    bool const no_such_name = m.rcode == 3;
    if (m.rcode != 0 && !no_such_name)
        return fail(m.rcode == 5 || m.rcode == 9 ? errc::registry_refused : errc::registry_unavailable,
                    dns_rcode_text(m.rcode));

    dns_answer a;
    std::string owner(name);
    std::uint32_t ttl = 0x7fff'ffff;
    for (int hops = 0;; ++hops) {
        for (auto const& r : m.answers)
            if (r.name == owner && r.type == type) {
                a.records.push_back(r);
                ttl = std::min(ttl, r.ttl);
            }
        if (!a.records.empty()) {
            a.what = dns_answer::kind::found;
            a.ttl = ttl;
            a.additional = collect_addresses(m.additional);
            return a;
        }
        auto const alias = std::find_if(m.answers.begin(), m.answers.end(), [&](dns_record const& r) {
            return r.name == owner && r.type == dns_record_type::cname;
        });
        if (alias == m.answers.end()) break;
        if (hops == 16) return fail(errc::bad_document, "aliases that lead nowhere");
        ttl = std::min(ttl, alias->ttl);
        owner = alias->target;
    }
    auto const has = [&](dns_record_type t) {
        return std::find_if(m.authority.begin(), m.authority.end(), [&](dns_record const& r) { return r.type == t; });
    };
    if (auto const soa = has(dns_record_type::soa); soa != m.authority.end()) {
        a.ttl = std::min({ttl, soa->ttl, soa->negative_ttl});  // RFC 2308, 5
    } else if (!no_such_name && owner != name) {
        a.what = dns_answer::kind::alias;
        a.alias = owner;
        a.ttl = ttl;
    } else if (!no_such_name && has(dns_record_type::ns) != m.authority.end()) {
        return fail(errc::registry_unavailable, "a referral: the server does not ask others for us");
    }
    return a;
}

inline std::map<std::string, dns_addresses> collect_addresses(std::vector<dns_record> const& records)
{
    std::map<std::string, dns_addresses> out;
    for (auto const& r : records) {
        if (r.type != dns_record_type::a && r.type != dns_record_type::aaaa) continue;
        auto& of = out[r.name];
        (r.type == dns_record_type::a ? of.v4 : of.v6).push_back(r.address);
        of.ttl = std::min(of.ttl, r.ttl);
    }
    return out;
}

inline std::string fill_dns_name(std::string_view pattern, query const& q, std::string& why)
{
    if (!q.tag.empty() && pattern.find("{tag}") == pattern.npos)
        return why = "the query has a tag, and dns_options.name has no {tag}", std::string();
    std::string out;
    auto const label = [&](std::string_view text) {
        if (text.empty()) return;
        if (!out.empty()) out += '.';
        out += text;
    };
    while (!pattern.empty()) {
        auto const piece = pattern.substr(0, pattern.find('.'));
        pattern.remove_prefix(std::min(pattern.size(), piece.size() + 1));
        std::string filled(piece);
        for (auto const& [key, value] : {std::pair<std::string_view, std::string const&>{"{service}", q.service},
                                         {"{tag}", q.tag},
                                         {"{datacenter}", q.datacenter}})
            if (auto const at = filled.find(key); at != filled.npos) filled.replace(at, key.size(), value);
        if (filled == "_" && piece != "_") filled.clear();  // "_{tag}" without a tag
        if (filled.ends_with('.')) filled.pop_back();
        label(filled);
    }
    if (valid_dns_name(out)) return canonical_dns_name(out);
    why = "the query makes no valid name";
    return {};
}

inline instance dns_instance(std::string const& address, std::uint16_t port, query const& q)
{
    instance i;
    bool const v6 = address.find(':') != address.npos;
    i.address.id = (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
    i.address.host = address;
    i.address.port = port;
    i.service = q.service;
    if (!q.tag.empty()) i.tags.push_back(q.tag);
    return i;
}

inline std::vector<instance> srv_instances(std::vector<dns_record> records,
                                           std::map<std::string, std::vector<std::string>> const& addresses,
                                           query const& q)
{
    std::erase_if(records, [&](dns_record const& r) { return !addresses.contains(r.target); });
    // The best first: of what is listed twice, that one stays.
    std::stable_sort(records.begin(), records.end(),
                     [](dns_record const& a, dns_record const& b) { return a.priority < b.priority; });
    bool some = false, all = true;
    for (auto const& r : records)
        if (r.priority == records.front().priority) {
            some |= r.weight != 0;
            all &= r.weight != 0;
        }
    std::vector<instance> out;
    for (auto const& r : records)
        for (auto const& address : addresses.at(r.target)) {
            auto i = dns_instance(address, r.port, q);
            i.address.weight = r.priority != records.front().priority ? 0u
                               : r.weight == 0                        ? 1u
                               : some && !all                         ? r.weight * 100u
                                                                      : r.weight;
            i.address.metadata = {{"target", r.target}, {"priority", std::to_string(r.priority)}};
            out.push_back(std::move(i));
        }
    return out;
}

}  // namespace weir::registry::detail
