// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/json_fields.hpp>
#include <weir/registry/detail/listing_tally.hpp>
#include <weir/registry/detail/percent_encoded.hpp>
#include <weir/registry/detail/strict_json.hpp>
#include <weir/registry/registration.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir::registry::detail {

/// Eureka's documents in weir's words, and back, after the readers and writers of its source
/// (com.netflix.discovery.converters.jackson, Eureka 61acc83). Functions of their arguments.

/// How instances are to be reached.
struct eureka_reach {
    bool host_names = false;  ///< by hostName, not ipAddr
    bool secure = false;      ///< at the secure port
};

/// The name of a service as Eureka writes it: in ASCII capitals.
[[nodiscard]] std::string eureka_app(std::string_view service);

/// The answer to GET apps/<APP>. An instance that cannot be used is skipped and counted; errc::bad_document when none
/// can, or the whole is not what it should be, with the reason in `out.note`.
[[nodiscard]] boost::system::error_code read_eureka_application(std::string_view body, query const& q,
                                                                eureka_reach reach, listing& out);

/// The body of POST apps/<APP>. `serves`: UP from the first moment on; otherwise STARTING.
[[nodiscard]] std::string write_eureka_instance(registration const& r, bool serves);

// Bodies

inline std::string eureka_app(std::string_view service)
{
    std::string out(service);
    for (char& c : out)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return out;
}

// {"$":8080,"@enabled":"true"}: the flag may be a string or not, and so may the number. 0: there is none.
inline std::uint16_t eureka_port(json::object const& instance, std::string_view key)
{
    auto const& port = object_in(instance, key);
    if (auto const* const flag = field(port, "@enabled")) {
        bool const off = flag->is_bool() ? !flag->get_bool() : as_text(*flag, "@enabled") != "true";
        if (off) return 0;
    }
    return static_cast<std::uint16_t>(number_in(port, "$", 65535));
}

inline instance eureka_instance(json::value const& v, query const& q, eureka_reach reach)
{
    auto const& said = as_object(v, "an instance");
    instance i;
    i.service = q.service;
    if (eureka_app(text_in(said, "app")) != eureka_app(q.service)) throw bad_field("app is not the one asked for");
    auto const address = text_in(said, "ipAddr"), name = text_in(said, "hostName");
    i.address.host = reach.host_names || address.empty() ? name : address;
    if (i.address.host.empty()) throw bad_field("neither ipAddr nor hostName is there");
    i.address.port = eureka_port(said, reach.secure ? "securePort" : "port");
    if (i.address.port == 0) throw bad_field(reach.secure ? "there is no secure port" : "there is no port");
    i.address.id = text_in(said, "instanceId");
    if (i.address.id.empty()) i.address.id = name;  // as servers and clients of old have it
    if (i.address.id.empty()) throw bad_field("instanceId is empty");
    i.state = text_in(said, "status") == "UP" ? health::passing : health::critical;

    auto const& cloud = object_in(object_in(said, "dataCenterInfo"), "metadata");
    i.address.zone = text_in(cloud, "availability-zone");
    for (auto const& [key, value] : object_in(said, "metadata")) {
        auto const k = std::string(key.data(), key.size());
        // A map without entries says of what Java class it is.
        if (k != "@class") i.address.metadata.emplace(k, as_text(value, "a value of metadata"));
    }
    adopt_metadata(i);
    return i;
}

inline boost::system::error_code read_eureka_application(std::string_view body, query const& q, eureka_reach reach,
                                                         listing& out)
{
    listing_tally tally(out);
    std::string why;
    auto const document = parse_strict(body, why);
    if (!document) return tally.refuse(std::move(why));
    try {
        auto const& app = object_in(as_object(*document, "the answer"), "application");
        if (eureka_app(text_in(app, "name")) != eureka_app(q.service))
            return tally.refuse("application.name is not the one asked for");
        auto const* const all = field(app, "instance");
        if (!all) return {};
        auto const add = [&](json::value const& v) { tally.add([&] { return eureka_instance(v, q, reach); }, q); };
        if (all->is_object())
            add(*all);  // what comes of a list of one, by way of XML
        else
            for (auto const& v : array_in(app, "instance")) add(v);
    } catch (bad_field const& bad) {
        return tally.refuse(bad.what());
    }
    return tally.end();
}

inline std::string write_eureka_instance(registration const& r, bool serves)
{
    using std::chrono::ceil, std::chrono::seconds;
    json::object meta;
    for (auto const& [key, value] : metadata_of(r, r.weight)) meta[key] = value;
    return json::serialize(json::object{
        {"instance",
         {{"instanceId", r.id},
          {"app", eureka_app(r.service)},
          {"hostName", r.address},
          {"ipAddr", r.address},
          {"vipAddress", r.service},
          {"secureVipAddress", r.service},
          {"status", serves ? "UP" : "STARTING"},
          {"port", {{"$", r.port}, {"@enabled", "true"}}},
          {"securePort", {{"$", 443}, {"@enabled", "false"}}},
          {"dataCenterInfo", {{"@class", "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"}, {"name", "MyOwn"}}},
          {"leaseInfo",
           {{"renewalIntervalInSecs", ceil<seconds>(r.ttl / 3).count()},
            {"durationInSecs", ceil<seconds>(r.ttl).count()}}},
          {"metadata", std::move(meta)}}}});
}

}  // namespace weir::registry::detail
