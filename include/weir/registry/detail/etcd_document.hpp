// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/base64.hpp>
#include <weir/registry/detail/json_fields.hpp>
#include <weir/registry/detail/strict_json.hpp>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// The documents of etcd's JSON gateway (/v3; written against etcd 3.4.23 and 3.5.16) in our words, and back. Functions
/// of their arguments. A reader gives nothing when the document is not what it should be, and says in `why` what was
/// wrong. Numbers come as numbers or in strings; what is 0, false or empty is left out; keys and values are base64.

/// A key with its value, or an event of one.
struct etcd_pair {
    std::string key, value;
    std::uint64_t revision = 0;  ///< of the store, when it was last changed
    std::uint64_t lease = 0;     ///< 0: none
    bool deleted = false;        ///< an event: the key is gone
};

/// Keys at one revision of the store.
struct etcd_range {
    std::uint64_t cluster = 0;  ///< another number: another store
    std::uint64_t revision = 0;
    std::vector<etcd_pair> pairs;
};

/// Why etcd did not do it.
enum class etcd_trouble : std::uint8_t {
    none,
    unavailable,      ///< not now: no leader, stopping, overloaded
    refused,          ///< never, as things are
    unauthenticated,  ///< not with this token
    not_found,        ///< there is no such lease
    compacted,        ///< the history asked for is not kept any more
    no_accounts,      ///< there is nothing to sign in to: authentication is off
};

struct etcd_error {
    etcd_trouble what = etcd_trouble::none;
    std::string note = {};  ///< for people, fit for a log
};

/// One frame of a watch.
struct etcd_frame {
    std::uint64_t cluster = 0, revision = 0;
    bool created = false;  ///< the first frame: the watch is set up, unless there is an error
    std::vector<etcd_pair> events;
    etcd_error error;  ///< the watch has ended
};

struct etcd_lease {
    std::uint64_t id = 0;
    std::uint64_t ttl = 0;  ///< seconds; 0: there is no such lease
};

[[nodiscard]] std::optional<etcd_range> read_etcd_range(std::string_view body, std::string& why);
[[nodiscard]] std::optional<etcd_frame> read_etcd_frame(json::value const& frame, std::string& why);

/// The answer to a grant, or the frame that answers a keepalive.
[[nodiscard]] std::optional<etcd_lease> read_etcd_lease(std::string_view body, std::string& why);

[[nodiscard]] std::optional<std::string> read_etcd_token(std::string_view body, std::string& why);

/// The body of an answer that is not 200. Whatever it is, there is an error in it.
[[nodiscard]] etcd_error read_etcd_error(unsigned status, std::string_view body);

/// Where the keys that begin with `prefix` end.
[[nodiscard]] std::string etcd_range_end(std::string prefix);

/// Bodies of requests. An empty `end`: one key.
[[nodiscard]] std::string write_etcd_range(std::string_view key, std::string_view end, bool keys_only = false);
[[nodiscard]] std::string write_etcd_watch(std::string_view key, std::string_view end, std::uint64_t from);
[[nodiscard]] std::string write_etcd_put(std::string_view key, std::string_view value, std::uint64_t lease);
[[nodiscard]] std::string write_etcd_delete(std::string_view key);
[[nodiscard]] std::string write_etcd_grant(std::uint64_t seconds);
[[nodiscard]] std::string write_etcd_lease(std::uint64_t id);
[[nodiscard]] std::string write_etcd_credentials(std::string_view user, std::string_view password);

// Bodies

// Fit for a log.
inline std::string etcd_shown(std::string_view text)
{
    std::string out;
    for (char const c : text.substr(0, 200)) out += c >= 0x20 && c < 0x7f ? c : '?';
    return out;
}

// By gRPC's codes; a canceled watch has only words.
inline etcd_error judge_etcd(std::uint64_t code, std::string_view message)
{
    auto const says = [&](std::string_view words) { return message.find(words) != message.npos; };
    auto const is = [&](etcd_trouble t) { return etcd_error{t, etcd_shown(message)}; };
    // clientv3 signs in again after these three, too.
    if (code == 16 || says("user name is empty") || says("invalid auth token") || says("auth store is old"))
        return is(etcd_trouble::unauthenticated);
    if (code == 5) return is(etcd_trouble::not_found);
    if (code == 11) return is(etcd_trouble::compacted);
    if (says("authentication is not enabled")) return is(etcd_trouble::no_accounts);
    if (code == 3 || code == 7 || code == 9 || code == 12 || says("permission denied") || says("authentication failed"))
        return is(etcd_trouble::refused);
    return is(etcd_trouble::unavailable);
}

inline std::string etcd_bytes(json::object const& o, std::string_view key)
{
    auto bytes = from_base64(text_in(o, key));
    if (!bytes) throw bad_field(std::string(key) + " is not base64");
    return *std::move(bytes);
}

inline etcd_pair etcd_pair_in(json::object const& o)
{
    etcd_pair p{.key = etcd_bytes(o, "key"),
                .value = etcd_bytes(o, "value"),
                .revision = number_in(o, "mod_revision"),
                .lease = number_in(o, "lease")};
    if (p.key.empty()) throw bad_field("a key is empty");
    if (p.revision == 0) throw bad_field("mod_revision is not there");
    return p;
}

template <class Read>
auto etcd_reading(std::string_view body, std::string& why, Read read) -> std::optional<decltype(read(json::object{}))>
{
    auto const document = parse_strict(body, why);
    if (!document) return std::nullopt;
    try {
        return read(as_object(*document, "the document"));
    } catch (bad_field const& bad) {
        why = bad.what();
        return std::nullopt;
    }
}

inline std::optional<etcd_range> read_etcd_range(std::string_view body, std::string& why)
{
    return etcd_reading(body, why, [](json::object const& o) {
        auto const& header = object_in(o, "header");
        etcd_range r{
            .cluster = number_in(header, "cluster_id"), .revision = number_in(header, "revision"), .pairs = {}};
        if (r.cluster == 0 || r.revision == 0) throw bad_field("the header has no cluster_id or revision");
        if (flag_in(o, "more")) throw bad_field("the answer is only a part");
        auto const& pairs = array_in(o, "kvs");
        r.pairs.reserve(pairs.size());
        for (auto const& v : pairs) r.pairs.push_back(etcd_pair_in(as_object(v, "an entry of kvs")));
        if (number_in(o, "count") != r.pairs.size()) throw bad_field("count is not the number of kvs");
        return r;
    });
}

inline etcd_frame etcd_frame_in(json::object const& o)
{
    etcd_frame f;
    if (auto const* const e = field(o, "error")) {
        auto const& error = as_object(*e, "error");
        auto const* const code = field(error, "grpc_code");
        f.error =
            judge_etcd(code ? number_in(error, "grpc_code") : number_in(error, "code"), text_in(error, "message"));
        return f;
    }
    auto const* const inner = field(o, "result");
    if (!inner) throw bad_field("a frame has neither result nor error");
    auto const& result = as_object(*inner, "result");
    auto const& header = object_in(result, "header");
    f.cluster = number_in(header, "cluster_id");
    f.revision = number_in(header, "revision");
    // A watch that is refused is created and canceled in one frame.
    f.created = flag_in(result, "created");
    if (flag_in(result, "canceled")) {
        auto const compacted = number_in(result, "compact_revision");
        f.error = compacted != 0 ? etcd_error{etcd_trouble::compacted, "compacted at " + std::to_string(compacted)}
                                 : judge_etcd(0, text_in(result, "cancel_reason"));
        return f;
    }
    auto const& events = array_in(result, "events");
    f.events.reserve(events.size());
    for (auto const& v : events) {
        auto const& event = as_object(v, "an event");
        auto p = etcd_pair_in(object_in(event, "kv"));
        auto const type = text_in(event, "type");
        if (!type.empty() && type != "PUT" && type != "DELETE") throw bad_field("an event is neither PUT nor DELETE");
        p.deleted = type == "DELETE";
        f.events.push_back(std::move(p));
    }
    return f;
}

inline std::optional<etcd_frame> read_etcd_frame(json::value const& frame, std::string& why)
{
    try {
        return etcd_frame_in(as_object(frame, "a frame"));
    } catch (bad_field const& bad) {
        why = bad.what();
        return std::nullopt;
    }
}

inline std::optional<etcd_lease> read_etcd_lease(std::string_view body, std::string& why)
{
    return etcd_reading(body, why, [](json::object const& o) {
        auto const* const framed = field(o, "result");
        auto const& answer = framed ? as_object(*framed, "result") : o;
        etcd_lease l{.id = number_in(answer, "ID"), .ttl = number_in(answer, "TTL")};
        if (l.id == 0) throw bad_field("ID is not there");
        return l;
    });
}

inline std::optional<std::string> read_etcd_token(std::string_view body, std::string& why)
{
    return etcd_reading(body, why, [](json::object const& o) {
        auto token = text_in(o, "token");
        if (token.empty()) throw bad_field("token is not there");
        for (char const c : token)
            if (c <= 0x20 || c >= 0x7f) throw bad_field("token is not fit for a header");
        return token;
    });
}

inline etcd_error read_etcd_error(unsigned status, std::string_view body)
{
    std::string why;
    struct found {
        std::uint64_t code;
        std::string message;
    };
    auto const said = etcd_reading(body, why, [](json::object const& o) {
        return found{number_in(o, "code"), text_in(o, "message")};
    });
    auto e = said ? judge_etcd(said->code, said->message) : etcd_error{etcd_trouble::unavailable, etcd_shown(body)};
    // Somebody else's answer: a proxy's, or a server's that does not speak this protocol.
    if (!said && status >= 300 && status < 500 && status != 408 && status != 429) e.what = etcd_trouble::refused;
    e.note = std::to_string(status) + (e.note.empty() ? "" : ": ") + e.note;
    return e;
}

inline std::string etcd_range_end(std::string prefix)
{
    while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
    if (prefix.empty()) return std::string(1, '\0');  // etcd's word for "to the end"
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
    return prefix;
}

inline std::string write_etcd_range(std::string_view key, std::string_view end, bool keys_only)
{
    json::object o{{"key", to_base64(key)}};
    if (!end.empty()) o["range_end"] = to_base64(end);
    if (keys_only) o["keys_only"] = true;
    return json::serialize(o);
}

inline std::string write_etcd_watch(std::string_view key, std::string_view end, std::uint64_t from)
{
    json::object create{{"key", to_base64(key)}, {"start_revision", std::to_string(from)}, {"progress_notify", true}};
    if (!end.empty()) create["range_end"] = to_base64(end);
    return json::serialize(json::object{{"create_request", std::move(create)}});
}

inline std::string write_etcd_put(std::string_view key, std::string_view value, std::uint64_t lease)
{
    return json::serialize(
        json::object{{"key", to_base64(key)}, {"value", to_base64(value)}, {"lease", std::to_string(lease)}});
}

inline std::string write_etcd_delete(std::string_view key)
{
    return json::serialize(json::object{{"key", to_base64(key)}});
}

inline std::string write_etcd_grant(std::uint64_t seconds)
{
    return json::serialize(json::object{{"TTL", std::to_string(seconds)}});
}

inline std::string write_etcd_lease(std::uint64_t id)
{
    return json::serialize(json::object{{"ID", std::to_string(id)}});
}

inline std::string write_etcd_credentials(std::string_view user, std::string_view password)
{
    return json::serialize(json::object{{"name", json::string(user.data(), user.size())},
                                        {"password", json::string(password.data(), password.size())}});
}

}  // namespace weir::registry::detail
