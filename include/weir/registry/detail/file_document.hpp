// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/etcd_instance.hpp>
#include <weir/registry/detail/json_fields.hpp>
#include <weir/registry/detail/strict_json.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/json/serialize.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace weir::registry::detail {

/// The document of registry::file, which caching() writes too. Functions of their arguments.

inline constexpr std::size_t file_max_instances = 100'000;

/// The instances of `q` in a document. An entry that cannot be used is skipped and counted; errc::bad_document when
/// none can, or the whole is not what it should be, with the reason in `out.note`.
[[nodiscard]] boost::system::error_code read_file_document(std::string_view text, query const& q, listing& out);

/// A document with the instances of one service.
[[nodiscard]] std::string write_file_document(std::string const& service, snapshot::list const& instances);

// Bodies

inline instance read_file_instance(json::value const& v, std::string const& service)
{
    instance i;
    i.service = service;
    if (v.is_string()) {
        read_etcd_address(as_text(v, "an instance"), i);
    } else {
        auto const& o = as_object(v, "an instance");
        // A misspelt key would silently mean the default.
        for (auto const& [key, value] : o) {
            bool known = false;
            for (std::string_view const k : {"id", "address", "port", "weight", "zone", "state", "tags", "meta"})
                known = known || std::string_view(key.data(), key.size()) == k;
            if (!known)
                throw bad_field("there is no field \"" + std::string(key.data(), key.size()).substr(0, 80) + "\"");
        }
        i.address.id = text_in(o, "id");
        i.address.host = text_in(o, "address");
        i.address.port = static_cast<std::uint16_t>(number_in(o, "port", 65535));
        i.address.weight =
            static_cast<std::uint32_t>(number_in(o, "weight", std::numeric_limits<std::uint32_t>::max(), 1));
        auto const state = text_in(o, "state");
        if (state == "warning")
            i.state = health::warning;
        else if (state == "critical")
            i.state = health::critical;
        else if (!state.empty() && state != "passing")
            throw bad_field("state is not passing, warning or critical");
        for (auto const& t : array_in(o, "tags")) i.tags.push_back(as_text(t, "a tag"));
        for (auto const& [key, value] : object_in(o, "meta"))
            i.address.metadata.emplace(std::string(key.data(), key.size()), as_text(value, "a value of meta"));
        i.address.zone = text_in(o, "zone");
        if (auto const zone = i.address.metadata.find("zone");
            i.address.zone.empty() && zone != i.address.metadata.end())
            i.address.zone = zone->second;
    }
    if (i.address.host.empty()) throw bad_field("address is empty");
    if (i.address.port == 0) throw bad_field("port is 0");
    if (i.address.id.empty()) i.address.id = service + "-" + i.address.host + "-" + std::to_string(i.address.port);
    std::sort(i.tags.begin(), i.tags.end());
    return i;
}

inline boost::system::error_code read_file_document(std::string_view text, query const& q, listing& out)
{
    auto const refuse = [&](std::string reason) -> boost::system::error_code {
        out.instances.clear();
        out.note = std::move(reason);
        return make_error_code(errc::bad_document);
    };
    std::string why;
    auto const document = parse_strict(text, why);
    if (!document) return refuse(why);
    try {
        auto const* const services = field(as_object(*document, "the document"), "services");
        if (!services) return refuse("there is no \"services\"");
        auto const& list = array_in(as_object(*services, "services"), q.service);
        if (list.size() > file_max_instances)
            return refuse("more than " + std::to_string(file_max_instances) + " instances");
        std::unordered_set<std::string> ids;
        std::size_t good = 0;
        for (auto const& v : list) {
            try {
                auto i = read_file_instance(v, q.service);
                if (!ids.insert(i.id()).second) throw bad_field("two instances have the id " + i.id());
                ++good;
                if (q.matches(i)) out.instances.push_back(std::move(i));
            } catch (bad_field const& bad) {
                if (++out.skipped == 1) why = bad.what();
            }
        }
        if (out.skipped != 0 && good == 0)
            return refuse("none of " + std::to_string(out.skipped) + " entries can be used; the first: " + why);
    } catch (bad_field const& bad) {
        return refuse(bad.what());
    }
    if (out.skipped != 0) out.note = std::to_string(out.skipped) + " entries skipped; the first: " + why;
    return {};
}

inline std::string write_file_document(std::string const& service, snapshot::list const& instances)
{
    json::array list;
    list.reserve(instances.size());
    for (auto const& i : instances) {
        auto const state = to_string(i.state);
        json::object o{{"id", i.address.id},
                       {"address", i.address.host},
                       {"port", i.address.port},
                       {"weight", i.address.weight},
                       {"state", json::string(state.data(), state.size())}};
        if (!i.address.zone.empty()) o["zone"] = i.address.zone;
        if (!i.tags.empty()) o["tags"] = json::array(i.tags.begin(), i.tags.end());
        if (!i.address.metadata.empty()) {
            json::object meta;
            for (auto const& [key, value] : i.address.metadata) meta[key] = value;
            o["meta"] = std::move(meta);
        }
        list.push_back(std::move(o));
    }
    json::object services;
    services[service] = std::move(list);
    return json::serialize(json::object{{"services", std::move(services)}});
}

}  // namespace weir::registry::detail
