// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

// For users who have yaml-cpp and link it (Debian: libyaml-cpp-dev; CMake: find_package(yaml-cpp)). Nothing else in
// weir includes this.
#if __has_include(<yaml-cpp/yaml.h>)

#include <weir/config/document.hpp>

#include <boost/json/value.hpp>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::config {

/// Reads YAML, by yaml-cpp, as a document_parser: `document_options{.yaml = weir::config::parse_yaml}`.
/// Plain words are what YAML 1.2's core schema says: true, null, 5 and 0.5; so "yes", "on" and 12:30 are texts.
/// Whatever could be read in two ways, or grows beyond its text, is refused: a key twice in one mapping, keys that are
/// no words, anchors and aliases, tags, several documents in one text, and infinity.
[[nodiscard]] std::optional<json::value> parse_yaml(std::string_view text, std::string& why, std::size_t max_depth);

// Bodies

namespace detail {

/// What this parser does not take. Never leaves this file.
struct bad_yaml : std::runtime_error {
    bad_yaml(YAML::Mark const& at, std::string const& what)
        : std::runtime_error("bad YAML at line " + std::to_string(at.line + 1) + ", column " +
                             std::to_string(at.column + 1) + ": " + what)
    {
    }
};

/// A plain word by the core schema (YAML 1.2.2, 10.3.2).
[[nodiscard]] inline json::value plain_word(std::string const& word, YAML::Mark const& at)
{
    for (auto const* const t : {"true", "True", "TRUE"})
        if (word == t) return true;
    for (auto const* const f : {"false", "False", "FALSE"})
        if (word == f) return false;
    auto const* first = word.data();
    auto const* const last = first + word.size();
    if (word.size() > 1 && *first == '+' && word[1] != '-') ++first;
    std::int64_t i = 0;
    if (auto const [end, ec] = std::from_chars(first, last, i); ec == std::errc{} && end == last) return i;
    std::uint64_t u = 0;
    if (auto const [end, ec] = std::from_chars(first, last, u); ec == std::errc{} && end == last) return u;
    auto const point = word.find_first_not_of("+-");
    if (point != word.npos && (word.substr(point) == ".inf" || word.substr(point) == ".Inf" || word == ".nan"))
        throw bad_yaml(at, "a number must be finite");
    if (word.find_first_not_of("+-.0123456789eE") == word.npos) {
        double d = 0;
        auto const [end, ec] = std::from_chars(first, last, d);
        if (ec == std::errc::result_out_of_range) throw bad_yaml(at, "a number is too large");
        if (ec == std::errc{} && end == last && std::isfinite(d)) return d;
    }
    return json::string(word);
}

/// Builds JSON of yaml-cpp's events.
class yaml_builder final : public YAML::EventHandler {
public:
    explicit yaml_builder(std::size_t max_depth) : max_depth_(max_depth) {}

    [[nodiscard]] json::value release() { return std::move(root_); }

    void OnDocumentStart(YAML::Mark const&) override {}
    void OnDocumentEnd() override {}

    void OnNull(YAML::Mark const& at, YAML::anchor_t anchor) override { put(at, anchor, nullptr); }
    void OnAlias(YAML::Mark const& at, YAML::anchor_t) override { throw bad_yaml(at, "an alias (*) is not taken"); }
    void OnScalar(YAML::Mark const& at, std::string const& tag, YAML::anchor_t anchor, std::string const& word) override
    {
        if (tag != "?" && tag != "!" && !tag.empty()) throw bad_yaml(at, "a tag (!) is not taken");
        bool const key = !open_.empty() && open_.back().value.is_object() && !open_.back().key;
        if (key) {
            if (anchor != 0) throw bad_yaml(at, "an anchor (&) is not taken");
            if (word == "<<") throw bad_yaml(at, "a merge key (<<) is not taken");
            if (open_.back().value.get_object().contains(word))
                throw bad_yaml(at, "the key " + in_quotes(word) + " appears twice in one mapping");
            open_.back().key = word;
        } else {
            put(at, anchor, tag == "?" ? plain_word(word, at) : json::value(json::string(word)));
        }
    }
    void OnSequenceStart(YAML::Mark const& at, std::string const& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override
    {
        begin(at, tag, anchor, json::array());
    }
    void OnSequenceEnd() override { end(); }
    void OnMapStart(YAML::Mark const& at, std::string const& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override
    {
        begin(at, tag, anchor, json::object());
    }
    void OnMapEnd() override { end(); }

private:
    struct level {
        json::value value;
        std::optional<std::string> key = {};  // of a mapping: whose value comes next
        YAML::Mark at = {};
    };

    void begin(YAML::Mark const& at, std::string const& tag, YAML::anchor_t anchor, json::value empty)
    {
        if (tag != "?" && tag != "!" && !tag.empty()) throw bad_yaml(at, "a tag (!) is not taken");
        if (anchor != 0) throw bad_yaml(at, "an anchor (&) is not taken");
        if (!open_.empty() && open_.back().value.is_object() && !open_.back().key)
            throw bad_yaml(at, "a key must be a word");
        if (open_.size() >= max_depth_) throw bad_yaml(at, "it is nested too deeply");
        open_.push_back({std::move(empty), {}, at});
    }

    void end()
    {
        auto done = std::move(open_.back());
        open_.pop_back();
        put(done.at, 0, std::move(done.value));
    }

    void put(YAML::Mark const& at, YAML::anchor_t anchor, json::value v)
    {
        if (anchor != 0) throw bad_yaml(at, "an anchor (&) is not taken");
        if (open_.empty()) {
            root_ = std::move(v);
        } else if (auto& above = open_.back(); above.value.is_array()) {
            above.value.get_array().push_back(std::move(v));
        } else {
            if (!above.key) throw bad_yaml(at, "a key must be a word");
            above.value.get_object()[*std::exchange(above.key, std::nullopt)] = std::move(v);
        }
    }

    std::size_t const max_depth_;
    std::vector<level> open_;
    json::value root_;
};

}  // namespace detail

inline std::optional<json::value> parse_yaml(std::string_view text, std::string& why, std::size_t max_depth)
{
    try {
        std::istringstream in{std::string(text)};
        YAML::Parser parser(in);
        detail::yaml_builder builder(max_depth);
        if (!parser.HandleNextDocument(builder)) {
            why = "the document is empty; {} says nothing";
            return std::nullopt;
        }
        auto read = builder.release();
        detail::yaml_builder more(max_depth);
        if (parser.HandleNextDocument(more)) {
            why = "there are several documents in one text";
            return std::nullopt;
        }
        return read;
    } catch (detail::bad_yaml const& e) {
        why = e.what();
    } catch (YAML::Exception const& e) {
        why = "bad YAML at line " + std::to_string(e.mark.line + 1) + ", column " + std::to_string(e.mark.column + 1) +
              ": " + e.msg.substr(0, 200);
    }
    return std::nullopt;
}

}  // namespace weir::config

#endif
