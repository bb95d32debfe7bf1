// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/percent_encoded.hpp>
#include <weir/registry/detail/strict_json.hpp>
#include <weir/registry/registration.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir::registry::detail {

/// Consul's documents (HTTP API v1; written against Consul 1.8.7) in weir's words, and back. Functions of their
/// arguments.

inline constexpr std::size_t consul_max_instances = 100'000;

/// The answer to /v1/health/service/<name>. An entry that cannot be used is skipped and counted; errc::bad_document
/// when none can, or the whole is not what it should be, with the reason in `out.note`.
[[nodiscard]] boost::system::error_code read_consul_health(std::string_view body, query const& q, listing& out);

/// The answer to /v1/internal/acl/authorize for one question; nothing when it is not one.
[[nodiscard]] std::optional<bool> read_consul_authorization(std::string_view body);

/// The body of /v1/agent/service/register.
[[nodiscard]] std::string write_consul_registration(registration const& r);

/// The body of /v1/agent/check/update/<check>. The output is constant: another one would wake every watch of the
/// service.
[[nodiscard]] std::string write_consul_beat(health h);

[[nodiscard]] inline std::string consul_check_id(registration const& r) { return "service:" + r.id; }

/// An index that can be waited from, or nothing: 0 and garbage make no index.
[[nodiscard]] std::optional<std::uint64_t> read_consul_index(std::string_view header);

// Bodies

/// What is wrong with one entry. Never leaves this file.
struct bad_entry : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline json::value const* consul_member(json::object const& o, std::string_view key)
{
    auto const* const v = o.if_contains(json::string_view(key.data(), key.size()));
    return v && v->is_null() ? nullptr : v;
}

inline std::string consul_text(json::object const& o, std::string_view key)
{
    auto const* const v = consul_member(o, key);
    if (!v) return {};
    if (!v->is_string()) throw bad_entry(std::string(key) + " is not a string");
    return std::string(v->get_string().data(), v->get_string().size());
}

inline json::object const& consul_object(json::object const& o, std::string_view key)
{
    static json::object const none;
    auto const* const v = consul_member(o, key);
    if (!v) return none;
    if (!v->is_object()) throw bad_entry(std::string(key) + " is not an object");
    return v->get_object();
}

inline json::array const& consul_array(json::object const& o, std::string_view key)
{
    static json::array const none;
    auto const* const v = consul_member(o, key);
    if (!v) return none;
    if (!v->is_array()) throw bad_entry(std::string(key) + " is not an array");
    return v->get_array();
}

inline std::uint32_t consul_number(json::object const& o, std::string_view key, std::uint32_t otherwise,
                                   std::uint32_t most)
{
    auto const* const v = consul_member(o, key);
    if (!v) return otherwise;
    if (!v->is_int64() || v->get_int64() < 0 || v->get_int64() > most)
        throw bad_entry(std::string(key) + " is not a number up to " + std::to_string(most));
    return static_cast<std::uint32_t>(v->get_int64());
}

// The worst of the instance's own checks and those of its node; maintenance is a critical check too. A state that is
// not known here does not count as good.
inline health consul_health(json::array const& checks)
{
    auto worst = health::passing;
    for (auto const& c : checks) {
        if (!c.is_object()) throw bad_entry("a check is not an object");
        auto const status = consul_text(c.get_object(), "Status");
        auto const h = status == "passing" ? health::passing : status == "warning" ? health::warning : health::critical;
        worst = std::max(worst, h);
    }
    return worst;
}

// The second is the name of the node: a service id is unique only there.
inline std::pair<instance, std::string> consul_instance(json::value const& v, query const& q)
{
    if (!v.is_object()) throw bad_entry("the entry is not an object");
    auto const& entry = v.get_object();
    auto const& node = consul_object(entry, "Node");
    auto const& service = consul_object(entry, "Service");

    instance i;
    i.address.id = consul_text(service, "ID");
    i.service = consul_text(service, "Service");
    i.address.host = consul_text(service, "Address");
    if (i.address.host.empty()) i.address.host = consul_text(node, "Address");
    i.address.port = static_cast<std::uint16_t>(consul_number(service, "Port", 0, 65535));
    if (i.address.id.empty()) throw bad_entry("Service.ID is empty");
    if (i.service != q.service) throw bad_entry("Service.Service is not the one asked for");
    if (i.address.host.empty()) throw bad_entry("neither Service.Address nor Node.Address is there");
    if (i.address.port == 0) throw bad_entry("Service.Port is 0");
    for (auto const& t : consul_array(service, "Tags")) {
        if (!t.is_string()) throw bad_entry("a tag is not a string");
        i.tags.emplace_back(t.get_string().data(), t.get_string().size());
    }
    for (auto const& [key, value] : consul_object(service, "Meta")) {
        if (!value.is_string()) throw bad_entry("a value of Meta is not a string");
        i.address.metadata.emplace(std::string(key.data(), key.size()),
                                   std::string(value.get_string().data(), value.get_string().size()));
    }
    if (auto const zone = i.address.metadata.find("zone"); zone != i.address.metadata.end())
        i.address.zone = zone->second;
    i.state = consul_health(consul_array(entry, "Checks"));
    auto const& weights = consul_object(service, "Weights");
    constexpr auto most = std::uint32_t{65535};  // Consul's own limit
    auto const passing = consul_number(weights, "Passing", 1, most),
               warning = consul_number(weights, "Warning", 1, most);
    i.address.weight = i.state == health::warning ? warning : passing;
    return {std::move(i), consul_text(node, "Node")};
}

inline boost::system::error_code read_consul_health(std::string_view body, query const& q, listing& out)
{
    auto const refuse = [&](std::string reason) -> boost::system::error_code {
        out.instances.clear();
        out.note = std::move(reason);
        return make_error_code(errc::bad_document);
    };
    std::string why;
    auto const document = parse_strict(body, why);
    if (!document) return refuse(why);
    if (!document->is_array()) return refuse("the answer is not an array");
    auto const& entries = document->get_array();
    if (entries.size() > consul_max_instances)
        return refuse("more than " + std::to_string(consul_max_instances) + " instances");

    std::map<std::string, std::map<std::string, instance>> by_id;  // then by node
    for (auto const& e : entries) {
        try {
            auto [i, node] = consul_instance(e, q);
            auto const id = i.address.id;
            if (!by_id[id].emplace(node, std::move(i)).second) throw bad_entry("two instances " + id + " on one node");
        } catch (bad_entry const& bad) {
            if (++out.skipped == 1) why = bad.what();
        }
    }
    for (auto& [id, nodes] : by_id)
        for (auto& [node, i] : nodes) {
            if (nodes.size() > 1) i.address.id = node + "/" + id;
            out.instances.push_back(std::move(i));
        }
    if (out.skipped != 0 && out.instances.empty())
        return refuse("none of " + std::to_string(out.skipped) + " entries can be used; the first: " + why);
    if (out.skipped != 0) out.note = std::to_string(out.skipped) + " entries skipped; the first: " + why;
    return {};
}

inline std::optional<bool> read_consul_authorization(std::string_view body)
{
    std::string why;
    auto const document = parse_strict(body, why);
    if (!document || !document->is_array() || document->get_array().size() != 1) return std::nullopt;
    auto const& answer = document->get_array()[0];
    if (!answer.is_object()) return std::nullopt;
    auto const* const allow = consul_member(answer.get_object(), "Allow");
    if (!allow || !allow->is_bool()) return std::nullopt;
    return allow->get_bool();
}

inline std::string consul_duration(duration d)
{
    return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(d).count()) + "ms";
}

inline std::string write_consul_registration(registration const& r)
{
    json::object check{{"CheckID", consul_check_id(r)}, {"TTL", consul_duration(r.ttl)}, {"Status", "passing"}};
    if (r.deregister_after > duration::zero())
        check["DeregisterCriticalServiceAfter"] = consul_duration(r.deregister_after);
    json::object meta;
    for (auto const& [key, value] : r.meta) meta[key] = value;
    return json::serialize(json::object{
        {"ID", r.id},
        {"Name", r.service},
        {"Address", r.address},
        {"Port", r.port},
        {"Tags", json::array(r.tags.begin(), r.tags.end())},
        {"Meta", std::move(meta)},
        {"Weights", {{"Passing", r.weight}, {"Warning", r.warning_weight}}},
        {"Check", std::move(check)},
    });
}

inline std::string write_consul_beat(health h)
{
    auto const status = to_string(h);
    return json::serialize(json::object{{"Status", json::string(status.data(), status.size())}, {"Output", "weir"}});
}

inline std::optional<std::uint64_t> read_consul_index(std::string_view header)
{
    std::uint64_t index = 0;
    auto const [end, error] = std::from_chars(header.data(), header.data() + header.size(), index);
    if (error != std::errc{} || end != header.data() + header.size() || index == 0) return std::nullopt;
    return index;
}

}  // namespace weir::registry::detail
