// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/finding.hpp>
#include <weir/config/units.hpp>
#include <weir/registry/detail/strict_json.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::config {

namespace json = boost::json;

enum class format : std::uint8_t { json, yaml };

/// What a source has: text, and which version of it this is.
struct document {
    std::string bytes;
    config::format format = format::json;
    std::string version = {};  ///< the source's own: an index, a revision, a hash; equal only if the text is

    friend bool operator==(document const&, document const&) = default;
};

/// Reads a text, or says in `why` what is wrong with it and where. Must refuse nesting over `max_depth`, and a key that
/// appears twice in one object.
using document_parser = std::optional<json::value> (*)(std::string_view text, std::string& why, std::size_t max_depth);

struct document_options {
    std::size_t max_bytes = 1 << 20;  ///< a longer document is refused
    std::size_t max_depth = 32;       ///< and one that is nested deeper
    std::string environment = {};     ///< "dev", "test", "prod", ...: what this process is. Empty: it was not told
    /// Of YAML: weir::config::parse_yaml, of config/yaml.hpp, which needs yaml-cpp. Null: YAML is refused.
    document_parser yaml = nullptr;
};

/// What a document says to this process: its sections, without what is for other environments. Nothing, when it is
/// refused; `found` then says why.
///
/// One document can serve several environments, and none of them sees what is meant for another:
///
///   {
///     "limits": { "checkout": { "rate": "100/s", "burst": 20 } },         for all
///     "environments": {
///       "dev":  {},
///       "prod": { "limits": { "checkout": { "rate": "5000/s" } } }        laid over it in prod
///     }
///   }
///
/// What is laid over replaces values, goes into objects, and takes out with null what it names (the merge of RFC 7396).
/// An "environments" without this process's own is refused, so that nothing runs in production on values that nobody
/// meant for it; where there is nothing to add, {} says so.
/// A document can also be of one environment alone: "environment": "prod", or a list. Anywhere else it is refused: so a
/// file or key that was copied to the wrong place does no harm. A document with neither word is for all.
[[nodiscard]] std::optional<json::object> parse(document const& d, document_options const& o, findings& found);

/// Lays `over` over `base`, by RFC 7396.
void lay_over(json::object& base, json::object const& over);

// Bodies

namespace detail {

[[nodiscard]] inline std::vector<std::string> names_in(json::object const& o)
{
    std::vector<std::string> names;
    for (auto const& [name, value] : o) names.emplace_back(name);
    return names;
}

[[nodiscard]] inline std::string joined(std::vector<std::string> const& names)
{
    std::string out;
    for (auto const& n : names) out += (out.empty() ? "" : ", ") + n;
    return out.size() > 200 ? out.substr(0, 200) + "..." : out;
}

/// Is this document, by its word "environment", for this process?
inline void check_environment(json::value const& word, std::string const& mine, findings& found)
{
    std::vector<std::string> meant;
    auto const add = [&](json::value const& v) {
        if (v.is_string()) meant.emplace_back(v.get_string());
        return v.is_string();
    };
    bool good = add(word);
    if (word.is_array()) {
        good = !word.get_array().empty();
        for (auto const& v : word.get_array()) good = good && add(v);
    }
    if (!good) return found.push_back({"environment", {}, "must be a name, or a list of names"});
    for (auto const& m : meant)
        if (m == mine) return;
    found.push_back({"environment", joined(meant),
                     mine.empty() ? "and this process was not told what it is (document_options.environment)"
                                  : "and this process is " + in_quotes(mine)});
}

/// What "environments" has for this process. Null with a finding, or where it has nothing.
[[nodiscard]] inline json::object const* own_environment(json::value const& all, std::string const& mine,
                                                         findings& found)
{
    auto const refuse = [&](std::string key, std::string why) {
        found.push_back({std::move(key), {}, std::move(why)});
        return nullptr;
    };
    if (!all.is_object()) return refuse("environments", "must be an object, with a section for each");
    auto const names = names_in(all.get_object());
    if (mine.empty())
        return refuse("environments", "has " + joined(names) +
                                          ", and this process was not told what it is (document_options.environment)");
    auto const* const own = all.get_object().if_contains(mine);
    if (own == nullptr) {
        auto const meant = nearest(mine, names);
        return refuse("environments", "has " + joined(names) + ", and nothing for " + in_quotes(mine) +
                                          (meant.empty() ? "; {} says that there is nothing to add"
                                                         : "; did you mean \"" + meant + "\"?"));
    }
    if (!own->is_object()) return refuse("environments." + mine, "must be an object");
    for (auto const* const word : {"environment", "environments"})
        if (own->get_object().contains(word)) return refuse("environments." + mine + '.' + word, "cannot be in here");
    return &own->get_object();
}

}  // namespace detail

inline void lay_over(json::object& base, json::object const& over)
{
    for (auto const& [name, value] : over) {
        if (value.is_null()) {
            base.erase(name);
        } else if (value.is_object()) {
            auto& below = base[name];
            if (!below.is_object()) below.emplace_object();
            lay_over(below.get_object(), value.get_object());
        } else {
            base[name] = value;
        }
    }
}

inline std::optional<json::object> parse(document const& d, document_options const& o, findings& found)
{
    auto const refuse = [&](std::string why) {
        found.push_back({{}, {}, std::move(why)});
        return std::nullopt;
    };
    if (d.bytes.size() > o.max_bytes)
        return refuse("the document has " + std::to_string(d.bytes.size()) + " bytes, and may have " +
                      std::to_string(o.max_bytes));
    std::optional<json::value> read;
    std::string why;
    if (d.format == format::json) {
        std::string_view text = d.bytes;
        if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // the mark that some editors put there
        if (text.find_first_not_of(" \t\r\n") == text.npos) return refuse("the document is empty; {} says nothing");
        read = registry::detail::parse_strict(text, why, o.max_depth);
    } else if (o.yaml == nullptr) {
        return refuse("the document is YAML, and document_options.yaml is not set; see weir/config/yaml.hpp");
    } else {
        read = o.yaml(d.bytes, why, o.max_depth);
    }
    if (!read) return refuse(std::move(why));
    if (!read->is_object()) return refuse("the document must be an object with sections");

    auto sections = std::move(read->get_object());
    auto const before = found.size();
    if (auto const* const word = sections.if_contains("environment"))
        detail::check_environment(*word, o.environment, found);
    if (auto const* const all = sections.if_contains("environments")) {
        if (auto const* const own = detail::own_environment(*all, o.environment, found)) {
            json::object const over = *own;
            lay_over(sections, over);
        }
    }
    if (found.size() != before) return std::nullopt;
    sections.erase("environment");
    sections.erase("environments");
    return sections;
}

}  // namespace weir::config
