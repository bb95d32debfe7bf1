// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/json_fields.hpp>
#include <weir/registry/detail/strict_json.hpp>
#include <weir/registry/instance.hpp>

#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// The documents of Kubernetes' API about EndpointSlices (discovery.k8s.io v1 and v1beta1; written against a real
/// 1.20.2, and for v1 from its documentation) in our words. Functions of their arguments. A reader gives nothing when
/// the document is not what it should be, and says in `why` what was wrong. null stands for empty everywhere.

/// Which service is asked for: `query.service` is `name[.namespace][:port]`.
struct kubernetes_service {
    std::string name;
    std::string space;  ///< its namespace; empty: the session's own
    std::string port;   ///< by name; empty: the only one
};
[[nodiscard]] std::optional<kubernetes_service> read_kubernetes_service(std::string_view text);

/// One EndpointSlice: a part of a service's endpoints.
struct kubernetes_slice {
    std::string name;
    std::vector<instance> instances;
    std::size_t skipped = 0;   ///< endpoints that cannot be used
    std::string note;          ///< why the first of them cannot
    bool second_best = false;  ///< not of IPv4: where an instance is in two slices, the other's address is taken
};

struct kubernetes_list {
    std::string revision;
    std::vector<kubernetes_slice> slices;
};

/// A refusal, as the status of an answer or as an ERROR event.
struct kubernetes_status {
    unsigned code = 0;  ///< 410: the revision is too old, read all again
    std::string note;   ///< for people, fit for a log
};

struct kubernetes_event {
    enum class kind : std::uint8_t {
        changed,   ///< `slice` is there, and is so
        deleted,   ///< `slice.name` is gone
        bookmark,  ///< nothing happened up to `revision`
        error,     ///< the watch has ended
    };
    kind what = kind::bookmark;
    std::string revision;
    kubernetes_slice slice;
    kubernetes_status error;
};

/// `service`: what the instances are called, which is what was asked for. `port`: which of the slice's ports.
[[nodiscard]] std::optional<kubernetes_list> read_kubernetes_list(std::string_view body, std::string const& service,
                                                                  std::string_view port, std::string& why);
[[nodiscard]] std::optional<kubernetes_event> read_kubernetes_event(json::value const& frame,
                                                                    std::string const& service, std::string_view port,
                                                                    std::string& why);

/// The body of an answer that is not 200, whatever it is.
[[nodiscard]] kubernetes_status read_kubernetes_status(unsigned code, std::string_view body);

/// What a refusal means to a watcher.
[[nodiscard]] boost::system::error_code judge_kubernetes(kubernetes_status const& s);

// Bodies

inline std::optional<kubernetes_service> read_kubernetes_service(std::string_view text)
{
    kubernetes_service s;
    if (auto const colon = text.find(':'); colon != text.npos) {
        s.port = text.substr(colon + 1);
        if (s.port.empty()) return std::nullopt;
        text = text.substr(0, colon);
    }
    if (auto const dot = text.find('.'); dot != text.npos) {
        s.space = text.substr(dot + 1);
        if (s.space.empty()) return std::nullopt;
        text = text.substr(0, dot);
    }
    s.name = text;
    // RFC 1123 labels: nothing that could be taken for another part of a path or a selector.
    auto const label = [](std::string_view t) {
        for (char const c : t)
            if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
        return t.size() <= 63;
    };
    if (s.name.empty() || !label(s.name) || !label(s.space) || !label(s.port)) return std::nullopt;
    return s;
}

// The number of the slice's port. Every slice may have another one for the same name.
inline std::uint16_t kubernetes_port(json::object const& slice, std::string_view name)
{
    std::uint16_t found = 0;
    for (auto const& v : array_in(slice, "ports")) {
        auto const& port = as_object(v, "a port");
        auto const protocol = text_in(port, "protocol");
        if (!protocol.empty() && protocol != "TCP") continue;
        if (!name.empty() && text_in(port, "name") != name) continue;
        auto const number = static_cast<std::uint16_t>(number_in(port, "port", 65535));
        if (number == 0) continue;  // "all ports": not something to connect to
        if (found != 0) throw bad_field("the service has several ports: ask for one, as in name:port");
        found = number;
    }
    if (found == 0) throw bad_field(name.empty() ? "the slice has no TCP port" : "the slice has no such TCP port");
    return found;
}

inline instance kubernetes_instance(json::object const& e, std::string const& service, std::uint16_t port)
{
    instance i;
    i.service = service;
    auto const& addresses = array_in(e, "addresses");
    if (addresses.empty()) throw bad_field("addresses is empty");
    i.address.host = as_text(addresses[0], "an address");  // all of them are the same pod
    if (i.address.host.empty()) throw bad_field("an address is empty");
    i.address.port = port;
    auto const& target = object_in(e, "targetRef");
    i.address.id = text_in(target, "kind") == "Pod" ? text_in(target, "name") : std::string();
    if (i.address.id.empty()) i.address.id = i.address.host;

    auto const& conditions = object_in(e, "conditions");
    // Not known is good, says the API. A pod that is terminating is not ready, even while it serves.
    i.state = flag_in(conditions, "ready", true) ? health::passing : health::critical;
    if (flag_in(conditions, "terminating")) i.address.metadata.emplace("terminating", "true");

    auto const& topology = object_in(e, "topology");  // v1beta1
    i.address.zone = text_in(e, "zone");
    if (i.address.zone.empty()) i.address.zone = text_in(topology, "topology.kubernetes.io/zone");
    auto node = text_in(e, "nodeName");
    if (node.empty()) node = text_in(topology, "kubernetes.io/hostname");
    if (!node.empty()) i.address.metadata.emplace("node", std::move(node));
    return i;
}

inline kubernetes_slice kubernetes_slice_in(json::object const& o, std::string const& service, std::string_view port)
{
    kubernetes_slice s;
    s.name = text_in(object_in(o, "metadata"), "name");
    if (s.name.empty()) throw bad_field("a slice has no name");
    s.second_best = text_in(o, "addressType") != "IPv4";
    auto const& endpoints = array_in(o, "endpoints");
    auto const skip = [&](std::size_t count, char const* reason) {
        if (s.skipped == 0) s.note = reason;
        s.skipped += count;
    };
    if (endpoints.empty()) return s;  // and then it has no ports either
    std::uint16_t number = 0;
    try {
        number = kubernetes_port(o, port);
    } catch (bad_field const& bad) {
        skip(endpoints.size(), bad.what());
        return s;
    }
    for (auto const& v : endpoints) {
        try {
            s.instances.push_back(kubernetes_instance(as_object(v, "an endpoint"), service, number));
        } catch (bad_field const& bad) {
            skip(1, bad.what());
        }
    }
    return s;
}

inline std::string kubernetes_revision(json::object const& o)
{
    auto revision = text_in(object_in(o, "metadata"), "resourceVersion");
    // Opaque, but it goes into a URL.
    for (char const c : revision)
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_'))
            throw bad_field("resourceVersion is not fit for a URL");
    if (revision.empty() || revision.size() > 200) throw bad_field("resourceVersion is not there");
    return revision;
}

// Fit for a log.
inline std::string kubernetes_shown(std::string_view text)
{
    std::string out;
    for (char const c : text.substr(0, 300)) out += c >= 0x20 && c < 0x7f ? c : '?';
    return out;
}

inline std::optional<kubernetes_list> read_kubernetes_list(std::string_view body, std::string const& service,
                                                           std::string_view port, std::string& why)
{
    auto const document = parse_strict(body, why);
    if (!document) return std::nullopt;
    try {
        auto const& o = as_object(*document, "the document");
        if (text_in(o, "kind") != "EndpointSliceList") throw bad_field("the answer is not an EndpointSliceList");
        kubernetes_list list;
        list.revision = kubernetes_revision(o);
        if (!text_in(object_in(o, "metadata"), "continue").empty()) throw bad_field("the answer is only a part");
        for (auto const& v : array_in(o, "items"))
            list.slices.push_back(kubernetes_slice_in(as_object(v, "an item"), service, port));
        return list;
    } catch (bad_field const& bad) {
        why = bad.what();
        return std::nullopt;
    }
}

inline kubernetes_status kubernetes_status_in(json::object const& o)
{
    return {static_cast<unsigned>(number_in(o, "code", 999)), kubernetes_shown(text_in(o, "message"))};
}

inline std::optional<kubernetes_event> read_kubernetes_event(json::value const& frame, std::string const& service,
                                                             std::string_view port, std::string& why)
{
    using kind = kubernetes_event::kind;
    try {
        auto const& o = as_object(frame, "a frame");
        auto const type = text_in(o, "type");
        auto const* const inner = field(o, "object");
        if (!inner) throw bad_field("an event has no object");
        auto const& object = as_object(*inner, "object");
        kubernetes_event e;
        if (type == "ERROR") {
            e.what = kind::error;
            e.error = kubernetes_status_in(object);
            return e;
        }
        e.revision = kubernetes_revision(object);
        if (type == "BOOKMARK") return e;
        if (type != "ADDED" && type != "MODIFIED" && type != "DELETED") throw bad_field("an event of an unknown type");
        e.what = type == "DELETED" ? kind::deleted : kind::changed;
        e.slice = kubernetes_slice_in(object, service, port);
        return e;
    } catch (bad_field const& bad) {
        why = bad.what();
        return std::nullopt;
    }
}

inline kubernetes_status read_kubernetes_status(unsigned code, std::string_view body)
{
    kubernetes_status s{code, kubernetes_shown(body)};
    std::string why;
    if (auto const document = parse_strict(body, why); document && document->is_object()) {
        try {
            s.note = kubernetes_status_in(document->get_object()).note;
        } catch (bad_field const&) {
            s.note.clear();
        }
    }
    s.note = std::to_string(code) + (s.note.empty() ? "" : ": ") + s.note;
    return s;
}

inline boost::system::error_code judge_kubernetes(kubernetes_status const& s)
{
    bool const later = s.code >= 500 || s.code == 429 || s.code == 408 || s.code == 410 || s.code == 0;
    return make_error_code(later ? errc::registry_unavailable : errc::registry_refused);
}

}  // namespace weir::registry::detail
