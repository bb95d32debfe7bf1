// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/json_fields.hpp>
#include <weir/registry/detail/percent_encoded.hpp>
#include <weir/registry/detail/strict_json.hpp>
#include <weir/registry/instance.hpp>

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::registry::detail {

/// How an instance is written in a node of ZooKeeper: see registry/zookeeper.hpp. Functions of their arguments.

/// The node's data, as Curator's service discovery has it. `registered_ms`: since 1970, for people.
[[nodiscard]] std::string write_zookeeper_instance(instance const& i, std::int64_t registered_ms);

/// Reads what write_zookeeper_instance, Curator or Spring Cloud ZooKeeper wrote into the node `name` of a service.
/// Nothing when it is none of these, and `why` says what is wrong.
[[nodiscard]] std::optional<instance> read_zookeeper_instance(std::string const& service, std::string const& name,
                                                              std::string_view data, std::string& why);

/// The name of a service or an instance as that of a node: what is not a letter, a digit or one of `-._~:@` as %XX, and
/// so are the names "." and "..".
[[nodiscard]] std::string zookeeper_node_name(std::string_view text);

/// And back; a name that it cannot have made is taken as it is.
[[nodiscard]] std::string read_zookeeper_node_name(std::string_view name);

// Bodies

inline std::string write_zookeeper_instance(instance const& i, std::int64_t registered_ms)
{
    json::object metadata;
    for (auto const& [key, value] : i.address.metadata) metadata[key] = value;
    auto const state = to_string(i.state);
    json::object payload{{"weight", i.address.weight},
                         {"state", json::string(state.data(), state.size())},
                         {"tags", json::array(i.tags.begin(), i.tags.end())},
                         {"metadata", std::move(metadata)}};
    return json::serialize(json::object{{"name", i.service},
                                        {"id", i.id()},
                                        {"address", i.address.host},
                                        {"port", i.address.port},
                                        {"sslPort", nullptr},
                                        {"payload", std::move(payload)},
                                        {"registrationTimeUTC", registered_ms},
                                        {"serviceType", "DYNAMIC"},
                                        {"uriSpec", nullptr},
                                        {"enabled", i.serves()}});
}

inline std::optional<instance> read_zookeeper_instance(std::string const& service, std::string const& name,
                                                       std::string_view data, std::string& why)
{
    auto const document = parse_strict(data, why);
    if (!document) return std::nullopt;
    try {
        auto const& o = as_object(*document, "the node's data");
        instance i;
        i.service = service;
        i.address.id = read_zookeeper_node_name(name);
        i.address.host = text_in(o, "address");
        i.address.port = static_cast<std::uint16_t>(number_in(o, "port", 65535));
        if (i.address.port == 0) i.address.port = static_cast<std::uint16_t>(number_in(o, "sslPort", 65535));
        if (i.address.host.empty()) throw bad_field("address is empty");
        if (i.address.port == 0) throw bad_field("there is no port");
        if (!flag_in(o, "enabled", true)) i.state = health::critical;
        // Others keep other things there: what is none of ours is let be.
        auto const* const p = field(o, "payload");
        if (p && p->is_object()) {
            auto const& payload = p->get_object();
            i.address.weight =
                static_cast<std::uint32_t>(number_in(payload, "weight", std::numeric_limits<std::uint32_t>::max(), 1));
            auto const state = text_in(payload, "state");
            if (state == "warning") i.state = std::max(i.state, health::warning);
            if (!state.empty() && state != "warning" && state != "passing") i.state = health::critical;
            for (auto const& t : array_in(payload, "tags")) i.tags.push_back(as_text(t, "a tag"));
            for (auto const& [key, value] : object_in(payload, "metadata"))
                i.address.metadata.emplace(std::string(key.data(), key.size()), as_text(value, "a value of metadata"));
        }
        if (auto const zone = i.address.metadata.find("zone"); zone != i.address.metadata.end())
            i.address.zone = zone->second;
        std::sort(i.tags.begin(), i.tags.end());
        return i;
    } catch (bad_field const& bad) {
        why = bad.what();
        return std::nullopt;
    }
}

inline std::string zookeeper_node_name(std::string_view text)
{
    if (text == ".") return "%2E";
    if (text == "..") return "%2E%2E";
    return percent_encoded(text, ":@");
}

inline std::string read_zookeeper_node_name(std::string_view name)
{
    auto const digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
    std::string out;
    for (std::size_t n = 0; n < name.size(); ++n) {
        bool const encoded =
            name[n] == '%' && n + 2 < name.size() && digit(name[n + 1]) >= 0 && digit(name[n + 2]) >= 0;
        out += encoded ? static_cast<char>(digit(name[n + 1]) * 16 + digit(name[n + 2])) : name[n];
        if (encoded) n += 2;
    }
    return zookeeper_node_name(out) == name ? out : std::string(name);
}

}  // namespace weir::registry::detail
