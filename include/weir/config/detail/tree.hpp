// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/finding.hpp>
#include <weir/config/units.hpp>
#include <weir/registry/detail/strict_json.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::config::detail {

namespace json = boost::json;

/// Builds one object of many flat keys, as key-value stores and lists of properties have them:
///
///   tree t('/');
///   t.add("limits/checkout/rate", "500/s");      {"limits": {"checkout": {"rate": "500/s"}}}
///
/// With '.' as the separator, "a[0]" is the first of a list, as Spring writes it.
class tree {
public:
    explicit tree(char separator, std::size_t max_depth = 32) : separator_(separator), max_depth_(max_depth) {}

    /// False: the key cannot be where it wants to be; `why` says what is in its way.
    bool add(std::string_view key, json::value value, std::string& why);

    /// A text that is itself an object or list is read as JSON; every other is the value.
    bool add_text(std::string_view key, std::string_view text, std::string& why);

    [[nodiscard]] json::object const& whole() const noexcept { return root_; }

private:
    [[nodiscard]] static std::vector<std::string> steps(std::string_view key, char separator);

    // In all lists together: "a[1000][1000]" is short, and not what it makes.
    static constexpr std::size_t max_places = 100'000;

    char separator_;
    std::size_t max_depth_;
    std::size_t places_ = 0;
    json::object root_;
};

// Bodies

/// "a.b[2].c": a, b, [2, c. A bracket marks an index.
inline std::vector<std::string> tree::steps(std::string_view key, char separator)
{
    std::vector<std::string> all;
    std::string step;
    for (std::size_t i = 0; i < key.size(); ++i) {
        bool const index = separator == '.' && key[i] == '[';
        if (key[i] != separator && !index) {
            step += key[i];
            continue;
        }
        // After an index, "]." is one end and not two.
        if (!(key[i] == separator && i > 0 && key[i - 1] == ']' && step.empty())) {
            if (!(index && step.empty() && !all.empty() && i > 0 && key[i - 1] == ']')) all.push_back(step);
        }
        step.clear();
        if (!index) continue;
        auto const end = key.find(']', i);
        if (end == key.npos) {
            all.push_back("");
            return all;
        }
        all.push_back(std::string(key.substr(i, end - i)));
        i = end;
        if (i + 1 == key.size()) return all;
    }
    all.push_back(step);
    return all;
}

inline bool tree::add(std::string_view key, json::value value, std::string& why)
{
    auto const refuse = [&](std::string_view what) {
        why = "the key " + in_quotes(key) + ' ' + std::string(what);
        return false;
    };
    auto const path = steps(key, separator_);
    if (path.size() > max_depth_) return refuse("is nested too deeply");
    auto* at = static_cast<json::value*>(nullptr);
    auto* within = &root_;
    for (auto const& step : path) {
        if (step.empty()) return refuse("has an empty name in it");
        if (step.front() != '[') {
            if (at != nullptr) {
                if (at->is_null()) at->emplace_object();
                if (!at->is_object()) return refuse("is below another that has a value");
                within = &at->get_object();
            }
            at = &(*within)[step];
            continue;
        }
        std::size_t n = 0;
        auto const* const end = step.data() + step.size();
        if (auto const [rest, ec] = std::from_chars(step.data() + 1, end, n);
            ec != std::errc{} || rest != end || n > 1000)
            return refuse("has a bad index");
        if (at == nullptr) return refuse("begins with an index");
        if (at->is_null()) at->emplace_array();
        if (!at->is_array()) return refuse("is below another that has a value");
        auto& list = at->get_array();
        if (n >= list.size()) {
            places_ += n + 1 - list.size();
            if (places_ > max_places) return refuse("makes the lists too long in all");
            list.resize(n + 1);
        }
        at = &list[n];
    }
    if (!at->is_null()) return refuse("has a value, and others are below it, or it is there twice");
    *at = std::move(value);
    return true;
}

inline bool tree::add_text(std::string_view key, std::string_view text, std::string& why)
{
    if (text.ends_with('\n')) text.remove_suffix(1);  // editors, and `echo`, put it there
    if (!text.starts_with('{') && !text.starts_with('[')) return add(key, json::string(text.data(), text.size()), why);
    auto parsed = registry::detail::parse_strict(text, why, max_depth_);
    if (!parsed) {
        why = "the value of " + in_quotes(key) + ": " + why;
        return false;
    }
    return add(key, *std::move(parsed), why);
}

}  // namespace weir::config::detail
