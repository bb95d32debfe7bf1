// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/base64.hpp>
#include <weir/registry/detail/etcd_document.hpp>
#include <weir/registry/detail/json_fields.hpp>
#include <weir/shared/detail/shared_gcra.hpp>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir::detail {

/// What etcd keeps of a limit: the word, and the moment of the limit's own clock at which it was written.
struct etcd_limit_state {
    std::uint64_t seen = 1;  ///< microseconds since the key is there
    shared_gcra word = {};
};

/// "weir1", then seen, tat, since, low, before, deep in decimal: exact, and can be read by people.
[[nodiscard]] std::string write_etcd_limit(etcd_limit_state const& s);
[[nodiscard]] std::optional<etcd_limit_state> read_etcd_limit(std::string_view text);

/// A key as it was found.
struct etcd_limit_kept {
    std::uint64_t created = 0, revision = 0;  ///< of the store: when it came to be, and when it was last changed
    std::string value = {};
};

struct etcd_limit_answer {
    std::uint64_t cluster = 0, revision = 0;
    bool swapped = false;
    std::optional<etcd_limit_kept> found = {};  ///< not swapped: what is there
};

/// One round trip: the key becomes `value` where it was last changed at `revision` (0: where it is not there), or else
/// is read.
[[nodiscard]] std::string write_etcd_swap(std::string_view key, std::uint64_t revision, std::string_view value,
                                          std::uint64_t lease);
[[nodiscard]] std::optional<etcd_limit_answer> read_etcd_swap(std::string_view body, std::string& why);

/// The answer to a range of one key.
[[nodiscard]] std::optional<etcd_limit_answer> read_etcd_one(std::string_view body, std::string& why);

// Bodies

inline std::string write_etcd_limit(etcd_limit_state const& s)
{
    auto const& w = s.word;
    auto out = "weir1 " + std::to_string(s.seen);
    for (auto const d : {w.tat, w.since, w.low, w.before, w.deep}) {
        char text[32];
        out += ' ';
        out.append(text, std::to_chars(text, text + sizeof text, d).ptr);
    }
    return out;
}

inline std::optional<etcd_limit_state> read_etcd_limit(std::string_view text)
{
    if (!text.starts_with("weir1")) return std::nullopt;
    text.remove_prefix(5);
    auto const number = [&](auto& n) {
        if (!text.starts_with(' ')) return false;
        auto const [end, ec] = std::from_chars(text.data() + 1, text.data() + text.size(), n);
        if (ec != std::errc()) return false;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        return true;
    };
    etcd_limit_state s;
    auto& w = s.word;
    constexpr std::uint64_t exact = 1ULL << 53;
    if (!number(s.seen) || s.seen == 0 || s.seen > exact) return std::nullopt;
    for (auto* const d : {&w.tat, &w.since, &w.low, &w.before, &w.deep})
        if (!number(*d) || !(std::abs(*d) < 1e300)) return std::nullopt;
    if (!text.empty()) return std::nullopt;
    return s;
}

inline std::string write_etcd_swap(std::string_view key, std::uint64_t revision, std::string_view value,
                                   std::uint64_t lease)
{
    using registry::detail::to_base64;
    namespace json = boost::json;
    auto const name = to_base64(key);
    json::object const as_known{
        {"key", name}, {"target", "MOD"}, {"result", "EQUAL"}, {"mod_revision", std::to_string(revision)}};
    json::object const put{{"key", name}, {"value", to_base64(value)}, {"lease", std::to_string(lease)}};
    json::object const range{{"key", name}};
    json::object o;
    o["compare"].emplace_array().push_back(as_known);
    o["success"].emplace_array().push_back(json::object{{"request_put", put}});
    o["failure"].emplace_array().push_back(json::object{{"request_range", range}});
    return json::serialize(o);
}

inline std::optional<etcd_limit_kept> etcd_kept_in(boost::json::object const& range)
{
    using namespace registry::detail;
    auto const& pairs = array_in(range, "kvs");
    if (pairs.empty()) return std::nullopt;
    if (pairs.size() != 1) throw bad_field("kvs has more than the key");
    auto const& o = as_object(pairs.front(), "an entry of kvs");
    etcd_limit_kept k{.created = number_in(o, "create_revision"),
                      .revision = number_in(o, "mod_revision"),
                      .value = etcd_bytes(o, "value")};
    if (k.created == 0 || k.revision < k.created) throw bad_field("an entry of kvs has not its revisions");
    return k;
}

inline etcd_limit_answer etcd_headed(boost::json::object const& o)
{
    using namespace registry::detail;
    auto const& header = object_in(o, "header");
    etcd_limit_answer a{.cluster = number_in(header, "cluster_id"), .revision = number_in(header, "revision")};
    if (a.cluster == 0 || a.revision == 0) throw bad_field("the header has no cluster_id or revision");
    return a;
}

inline std::optional<etcd_limit_answer> read_etcd_swap(std::string_view body, std::string& why)
{
    using namespace registry::detail;
    return etcd_reading(body, why, [](boost::json::object const& o) {
        auto a = etcd_headed(o);
        a.swapped = flag_in(o, "succeeded");
        auto const& responses = array_in(o, "responses");
        if (responses.size() != 1) throw bad_field("responses is not the one that was asked for");
        auto const& response = as_object(responses.front(), "a response");
        if (!field(response, a.swapped ? "response_put" : "response_range"))
            throw bad_field("the response is not to what was asked");
        if (!a.swapped) a.found = etcd_kept_in(object_in(response, "response_range"));
        return a;
    });
}

inline std::optional<etcd_limit_answer> read_etcd_one(std::string_view body, std::string& why)
{
    return registry::detail::etcd_reading(body, why, [](boost::json::object const& o) {
        auto a = etcd_headed(o);
        a.found = etcd_kept_in(o);
        return a;
    });
}

}  // namespace weir::detail
