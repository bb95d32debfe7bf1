// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/json_fields.hpp>
#include <weir/registry/detail/listing_tally.hpp>
#include <weir/registry/detail/percent_encoded.hpp>
#include <weir/registry/detail/strict_json.hpp>
#include <weir/registry/nacos_options.hpp>
#include <weir/registry/registration.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// Nacos' naming documents in weir's words, and back, after its controllers (com.alibaba.nacos.naming.controllers, v1
/// and v3, Nacos 486e198). Functions of their arguments.

/// Where a service is.
struct nacos_place {
    std::string name_space = "public", group = "DEFAULT_GROUP", cluster = "DEFAULT";
};

/// What an answer says of what was asked: v3's envelope {"code":0,"message":"success","data":...}, v1's beats, and what
/// filters of both say. Nothing: the body is no such thing.
struct nacos_verdict {
    std::uint64_t code = 0;  ///< 0: well
    std::string message;     ///< for people, short

    [[nodiscard]] boost::system::error_code error() const;
};
[[nodiscard]] std::optional<nacos_verdict> read_nacos_verdict(std::string_view body);

/// The answer to instance/list. An instance that cannot be used is skipped and counted; errc::bad_document when none
/// can, or the whole is not what it should be, with the reason in `out.note`; which says too when the answer is
/// degraded. `cache`: how often the server wants to be asked, if it says so.
[[nodiscard]] boost::system::error_code read_nacos_list(nacos_api api, std::string_view body, nacos_place const& at,
                                                        query const& q, listing& out, std::optional<duration>& cache);

/// The answer to a beat. `unknown`: the server does not have the instance. Nothing, with `why`: it is none.
struct nacos_beat {
    bool unknown = false;
    std::optional<duration> interval = {};  ///< how often to beat
    bool light = false;                     ///< beats need not say what the instance is
};
[[nodiscard]] std::optional<nacos_beat> read_nacos_beat(std::string_view body, std::string& why);

/// The answer to signing in.
struct nacos_token {
    std::string token;
    duration ttl{};  ///< 0: not said
};
[[nodiscard]] std::optional<nacos_token> read_nacos_token(std::string_view body, std::string& why);

/// The parameters of questions, for a query or a form.
[[nodiscard]] std::string nacos_list_query(nacos_api api, nacos_place const& at, query const& q);
[[nodiscard]] std::string nacos_instance_key(nacos_api api, nacos_place const& at, registration const& r);
[[nodiscard]] std::string nacos_instance_form(nacos_api api, nacos_place const& at, registration const& r, health h);
[[nodiscard]] std::string nacos_beat_form(nacos_place const& at, registration const& r);  ///< v1's JSON

// Bodies

inline boost::system::error_code nacos_verdict::error() const
{
    if (code == 0) return {};
    // ErrorCode: 30000 is "server error", 503 and 429 its limits. The rest is about the question.
    bool const later = (code >= 500 && code < 600) || code == 429 || code == 30000;
    return make_error_code(later ? errc::registry_unavailable : errc::registry_refused);
}

inline std::optional<nacos_verdict> read_nacos_verdict(std::string_view body)
{
    std::string why;
    auto const read = parse_strict(body, why);
    if (!read || !read->is_object() || !field(read->get_object(), "code")) return std::nullopt;
    try {
        auto const& said = read->get_object();
        nacos_verdict v{.code = number_in(said, "code"), .message = {}};
        for (char const c : text_in(said, "message").substr(0, 200)) v.message += c >= 0x20 && c < 0x7f ? c : '?';
        return v;
    } catch (bad_field const&) {
        return std::nullopt;
    }
}

inline duration nacos_milliseconds(json::object const& o, std::string_view key)
{
    constexpr std::uint64_t a_day = 86'400'000;
    return std::chrono::milliseconds(std::min(number_in(o, key), a_day));
}

inline double nacos_weight(json::object const& host)
{
    auto const* const w = field(host, "weight");
    if (!w) return 1;
    if (!w->is_number()) throw bad_field("weight is not a number");
    auto const value = w->to_number<double>();
    if (!(value >= 0 && value <= 10'000)) throw bad_field("weight is not in [0, 10000]");  // Nacos' own limits
    return value;
}

inline instance nacos_instance(json::value const& v, nacos_place const& at, query const& q, double& weight)
{
    auto const& host = as_object(v, "an instance");
    instance i;
    i.service = q.service;
    auto const name = text_in(host, "serviceName");
    if (!name.empty() && name != q.service && name != at.group + "@@" + q.service)
        throw bad_field("serviceName is not the one asked for");
    i.address.host = text_in(host, "ip");
    i.address.port = static_cast<std::uint16_t>(number_in(host, "port", 65535));
    if (i.address.host.empty()) throw bad_field("ip is empty");
    if (i.address.port == 0) throw bad_field("port is 0");
    auto const cluster = text_in(host, "clusterName");
    for (auto const& [key, value] : object_in(host, "metadata"))
        i.address.metadata.emplace(std::string(key.data(), key.size()), as_text(value, "a value of metadata"));
    i.address.metadata.erase("weight");  // Nacos has one itself
    adopt_metadata(i);
    if (i.address.zone.empty()) i.address.zone = cluster;
    i.address.id = i.address.host + "#" + std::to_string(i.address.port) + "#" + cluster;
    weight = nacos_weight(host);
    bool const well = flag_in(host, "enabled", true) && flag_in(host, "healthy", true) && weight > 0;
    i.state = well ? health::passing : health::critical;
    return i;
}

inline boost::system::error_code read_nacos_list(nacos_api api, std::string_view body, nacos_place const& at,
                                                 query const& q, listing& out, std::optional<duration>& cache)
{
    listing_tally tally(out);
    std::string why;
    auto const document = parse_strict(body, why);
    if (!document) return tally.refuse(std::move(why));
    bool degraded = false;
    std::vector<double> weights;
    try {
        auto const& said = as_object(*document, "the answer");
        auto const* hosts = field(said, "hosts");
        if (api == nacos_api::v3) {
            auto const* const code = field(said, "code");
            if (!code || number_in(said, "code") != 0) return tally.refuse("the answer's code is not 0");
            hosts = field(said, "data");
        } else {
            auto const name = text_in(said, "name");
            if (!name.empty() && name != q.service && name != at.group + "@@" + q.service)
                return tally.refuse("name is not the one asked for");
            if (field(said, "cacheMillis")) cache = nacos_milliseconds(said, "cacheMillis");
            degraded = flag_in(said, "reachProtectionThreshold");
        }
        if (!hosts || !hosts->is_array()) return tally.refuse("the answer has no list of instances");
        for (auto const& v : hosts->get_array())
            tally.add(
                [&] {
                    double weight = 0;
                    auto i = nacos_instance(v, at, q, weight);
                    if (!q.datacenter.empty() && !i.address.id.ends_with("#" + q.datacenter))
                        throw bad_field("clusterName is not the one asked for");
                    i.address.weight = static_cast<std::uint32_t>(std::lround(weight * 100));
                    if (weight > 0) i.address.weight = std::max(i.address.weight, 1u);
                    return i;
                },
                q);
    } catch (bad_field const& bad) {
        return tally.refuse(bad.what());
    }
    if (auto const bad = tally.end()) return bad;
    auto& all = out.instances;
    bool const whole = std::all_of(all.begin(), all.end(), [](auto const& i) { return i.address.weight % 100 == 0; });
    if (whole)
        for (auto& i : all) i.address.weight /= 100;
    if (degraded)
        out.note = "degraded: so few instances are healthy that the server calls all of them healthy" +
                   (out.note.empty() ? std::string() : "; " + out.note);
    return {};
}

inline std::optional<nacos_beat> read_nacos_beat(std::string_view body, std::string& why)
{
    auto const read = parse_strict(body, why);
    if (!read) return std::nullopt;
    try {
        auto const& said = as_object(*read, "the answer");
        auto const code = number_in(said, "code");
        nacos_beat b;
        if (code == 20404 || code == 21003) {  // NamingResponseCode and ErrorCode: no such instance
            b.unknown = true;
            return b;
        }
        // Servers before 1.3 say no code. 0 is v3's.
        if (!(field(said, "code") ? code == 0 || code == 10200 : field(said, "clientBeatInterval") != nullptr)) {
            why = "the beat was answered with code " + std::to_string(code);
            return std::nullopt;
        }
        if (field(said, "clientBeatInterval")) b.interval = nacos_milliseconds(said, "clientBeatInterval");
        b.light = flag_in(said, "lightBeatEnabled");
        return b;
    } catch (bad_field const& bad) {
        why = bad.what();
        return std::nullopt;
    }
}

inline std::optional<nacos_token> read_nacos_token(std::string_view body, std::string& why)
{
    auto const read = parse_strict(body, why);
    if (!read) return std::nullopt;
    try {
        auto const& outer = as_object(*read, "the answer");
        auto const& said = field(outer, "data") ? object_in(outer, "data") : outer;
        nacos_token t{.token = text_in(said, "accessToken")};
        constexpr std::uint64_t a_year = 31'536'000;
        t.ttl = std::chrono::seconds(std::min(number_in(said, "tokenTtl"), a_year));
        if (!t.token.empty()) return t;
        why = "the answer has no accessToken";
    } catch (bad_field const& bad) {
        why = bad.what();
    }
    return std::nullopt;
}

inline void nacos_add(std::string& to, std::string_view key, std::string_view value)
{
    if (!to.empty()) to += '&';
    to += key;
    to += '=';
    to += percent_encoded(value);
}

inline std::string nacos_service(nacos_api api, nacos_place const& at, std::string const& service)
{
    std::string out;
    nacos_add(out, "namespaceId", at.name_space);
    nacos_add(out, "groupName", at.group);
    nacos_add(out, "serviceName", api == nacos_api::v1 ? at.group + "@@" + service : service);
    return out;
}

inline std::string nacos_list_query(nacos_api api, nacos_place const& at, query const& q)
{
    auto out = nacos_service(api, at, q.service);
    nacos_add(out, api == nacos_api::v1 ? "clusters" : "clusterName", q.datacenter);
    if (api == nacos_api::v1) nacos_add(out, "healthyOnly", "false");
    return out;
}

inline std::string nacos_instance_key(nacos_api api, nacos_place const& at, registration const& r)
{
    auto out = nacos_service(api, at, r.service);
    nacos_add(out, "clusterName", at.cluster);
    nacos_add(out, "ip", r.address);
    nacos_add(out, "port", std::to_string(r.port));
    nacos_add(out, "ephemeral", "true");
    return out;
}

// The times are per instance (PreservedMetadataKeys), in milliseconds: without them a server has its own: 5, 15, 30 s.
inline std::string nacos_metadata(registration const& r)
{
    using std::chrono::ceil, std::chrono::milliseconds;
    auto const text = [](duration d) { return std::to_string(ceil<milliseconds>(d).count()); };
    json::object meta;
    for (auto const& [key, value] : metadata_of(r)) meta[key] = value;
    meta["id"] = r.id;
    meta["preserved.heart.beat.interval"] = text(r.ttl / 3);
    meta["preserved.heart.beat.timeout"] = text(r.ttl);
    // Never is not to be had for an ephemeral instance; a day is.
    auto const keep = r.deregister_after == duration::zero() ? duration(std::chrono::hours(24)) : r.deregister_after;
    meta["preserved.ip.delete.timeout"] = text(r.ttl + keep);
    return json::serialize(meta);
}

inline std::string nacos_instance_form(nacos_api api, nacos_place const& at, registration const& r, health h)
{
    auto out = nacos_instance_key(api, at, r);
    nacos_add(out, "weight", std::to_string(h == health::warning ? r.warning_weight : r.weight));
    nacos_add(out, "enabled", h == health::critical ? "false" : "true");
    nacos_add(out, "healthy", "true");  // beats make it so anyhow
    nacos_add(out, "metadata", nacos_metadata(r));
    return out;
}

inline std::string nacos_beat_form(nacos_place const& at, registration const& r)
{
    std::string why;
    auto const meta = parse_strict(nacos_metadata(r), why);
    return json::serialize(json::object{{"serviceName", at.group + "@@" + r.service},
                                        {"ip", r.address},
                                        {"port", r.port},
                                        {"cluster", at.cluster},
                                        {"weight", r.weight},
                                        {"metadata", meta ? *meta : json::value()},
                                        {"scheduled", true}});
}

}  // namespace weir::registry::detail
