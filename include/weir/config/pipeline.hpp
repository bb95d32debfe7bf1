// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/any_pipeline.hpp>
#include <weir/config/detail/pipeline_elements.hpp>
#include <weir/config/finding.hpp>
#include <weir/config/reader.hpp>

#include <boost/json/value.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace weir::config {

/// What a document cannot say, and its pipeline needs.
struct pipeline_parts {
    /// Stages of the program's own, by the names that {"use": name} gives them: balancers, classify and observe rules,
    /// gates that are shared with others.
    std::map<std::string, any_stage> own = {};
    /// Of retry and hedge, shared with others. Null: the pipeline has one, with the options that the document gives.
    std::shared_ptr<retry_budget> budget = nullptr;
};

/// A pipeline that a document describes, and that follows the document when that changes.
///
///   {"stages": [
///       {"deadline": "2s"},
///       {"token_bucket": {"rate": "500/s", "burst": 50}},
///       {"retry": {"max_attempts": 3, "backoff": {"base": "50ms", "max": "2s"}}},
///       {"circuit_breaker": {"open_for": "5s"}, "enforce": "10%"},
///       {"use": "by_load"},
///       {"attempt_timeout": "300ms"}],
///    "retry_budget": {"per_success": 0.1}}
///
/// or the list alone. Stages are named by their types, outermost first, and have the fields of their options
/// (fields.hpp) in the units of reader.hpp. Gates of one type need a `name` each. `enforce` puts a dry_run around a
/// gate or a rule.
///
///   weir::config::pipeline guarded(json::parse(text), {.own = {{"by_load", balancer}}});
///   auto r = guarded->call(op);
///   if (auto const wrong = guarded.apply(json::parse(newer)); !wrong.empty()) log(to_text(wrong));
///
/// A document is applied whole or not at all: all of it is read, every option checked and the order of the stages,
/// before anything is changed. Then a gate of the same type and name as before is reconfigured and keeps its state,
/// wherever it stands now; what is new is made; what is gone goes when the last call through it has ended. A rule
/// whose section is different is made anew; a hedge and an enough_time go on with what they have learnt, unless it is
/// the quantile that is different. A call in flight goes on by the order and the rules it began with. `chaos` needs a
/// `seed`, and its `fault` is a name of std::errc. It is a policy for config::binding, too.
///
/// Throws:  construction and `reconfigure`, std::invalid_argument with the findings; std::bad_alloc.
/// Threads: `apply` and calls, any at once.   Lifetimes: as any_pipeline.
/// Seen in: examples/30_any_pipeline.cpp
class pipeline {
public:
    using options = json::value;

    explicit pipeline(json::value const& document, pipeline_parts parts = {}) : parts_(std::move(parts))
    {
        findings found;
        budget_built_ = read_budget(document, found);
        refuse(found);
        budget_ = parts_.budget ? parts_.budget : std::make_shared<retry_budget>(budget_built_);
        reconfigure(document);
    }

    /// What is wrong with the document; empty: it is in force. `now`: for gates that are told the time.
    [[nodiscard]] findings apply(json::value const& document, std::optional<time_point> now = std::nullopt);

    /// What would be wrong with it. Nothing is changed.
    [[nodiscard]] findings find_faults(json::value const& document) const;

    void reconfigure(json::value const& document) { refuse(apply(document)); }
    void check(json::value const& document) const { refuse(find_faults(document)); }

    [[nodiscard]] any_pipeline& operator*() noexcept { return guarded_; }
    [[nodiscard]] any_pipeline* operator->() noexcept { return &guarded_; }

private:
    struct place {
        std::string id;  // type and name
        std::shared_ptr<detail::element> element;
        json::value given;
        bool is_new = false, differs = false;
    };
    struct draft {
        std::vector<place> places;
        std::vector<any_stage> stages;
        retry_budget_options budget;
    };

    static void refuse(findings const& found)
    {
        if (!found.empty()) throw std::invalid_argument("weir: in " + to_text(found));
    }
    [[nodiscard]] retry_budget_options read_budget(json::value const& document, findings& found) const;
    [[nodiscard]] draft read_all(json::value const& document, findings& found) const;
    void read_stage(json::value const& given, std::string const& key, draft& d, findings& found) const;

    pipeline_parts parts_;
    std::shared_ptr<retry_budget> budget_;
    retry_budget_options budget_built_;
    mutable std::mutex applying_;
    std::vector<place> places_;
    any_pipeline guarded_;
};

// Bodies

namespace detail {

/// The fixed program part of a document.
struct own_element final : element {
    explicit own_element(any_stage s) : own(std::move(s)) {}
    void stage(json::value const&, std::string const&, findings&) override {}
    [[nodiscard]] any_stage made(bool) override { return own; }
    any_stage own;
};

/// What a gate will be called.
[[nodiscard]] inline std::string name_of(json::value const& section, std::string const& type)
{
    auto const* fields = section.if_object();
    if (fields && !fields->contains("name"))  // of keyed_breakers
        if (auto const* each = fields->if_contains("each"); each && each->is_object()) fields = &each->get_object();
    auto const* name = fields ? fields->if_contains("name") : nullptr;
    return name && name->is_string() ? std::string(text_of(name->get_string())) : type;
}

/// A section for a policy that reads documents itself.
template <>
struct reading<json::value> {
    static void from(json::value const& v, std::string const&, json::value& out, findings&, purpose) { out = v; }
};

}  // namespace detail

inline void pipeline::read_stage(json::value const& given, std::string const& key, draft& d, findings& found) const
{
    std::string type;
    json::value section = json::object();
    json::value const* share = nullptr;
    if (auto const* name = given.if_string()) {
        type = detail::text_of(*name);
    } else if (auto const* fields = given.if_object()) {
        for (auto const& [field, value] : *fields) {
            if (field == "enforce") {
                share = &value;
            } else if (!type.empty()) {
                found.push_back(
                    {key, {}, "has both \"" + type + "\" and \"" + std::string(field) + "\": a stage is one of them"});
                return;
            } else {
                type = field;
                section = value;
            }
        }
    }
    if (type.empty()) {
        found.push_back({key, {}, "must name one stage, as in {\"deadline\": \"2s\"}"});
        return;
    }

    place p{type, nullptr, given};
    auto const count_as = [&](std::string id) {
        for (std::size_t n = 1; n <= d.places.size(); ++n)
            for (auto const& other : d.places)
                if (other.id == p.id) p.id = id + '#' + std::to_string(n);
    };
    detail::element_kind const* kind = nullptr;
    if (type == "use") {
        auto const name = section.is_string() ? std::string(detail::text_of(section.get_string())) : std::string();
        auto const mine = parts_.own.find(name);
        if (mine == parts_.own.end()) {
            std::vector<std::string> names;
            for (auto const& [n, stage] : parts_.own) names.push_back(n);
            found.push_back({key + ".use", detail::shown(section), detail::unknown_name(name, names)});
            return;
        }
        if (share) {
            found.push_back({key + ".enforce", {}, "is for gates and rules that the document describes"});
            return;
        }
        p.element = std::make_shared<detail::own_element>(mine->second);
        p.id += '/' + name;
        count_as(p.id);
    } else {
        std::vector<std::string> names{"use"};
        for (auto const& k : detail::element_kinds()) {
            names.push_back(k.name);
            if (k.name == type) kind = &k;
        }
        if (kind == nullptr) {
            found.push_back({key + '.' + type, {}, detail::unknown_name(type, names)});
            return;
        }
        if (kind->is_gate) {
            p.id += '/' + detail::name_of(section, type);
            for (auto const& other : d.places)
                if (other.id == p.id) {
                    found.push_back({key + '.' + type, {}, "is there twice: give each a \"name\" of its own"});
                    return;
                }
        } else {
            count_as(type);
        }
        for (auto const& old : places_)
            if (old.id == p.id) p.element = old.element, p.differs = old.given != given;
        p.is_new = !p.element;
        if (p.is_new) p.element = kind->make(budget_);
        if (p.is_new || p.differs) {
            auto const before = found.size();
            p.element->stage(section, key + '.' + type, found);
            if (found.size() == before) kind->enforce(*p.element, share, key + ".enforce", found);
        }
    }
    d.places.push_back(std::move(p));
}

inline retry_budget_options pipeline::read_budget(json::value const& document, findings& found) const
{
    constexpr std::string_view key = "retry_budget";
    retry_budget_options o;
    auto const* fields = document.if_object();
    auto const* given = fields ? fields->if_contains({key.data(), key.size()}) : nullptr;
    if (given == nullptr) return o;
    if (parts_.budget) {
        found.push_back({std::string(key), {}, "is the program's own here, and shared with others"});
        return o;
    }
    auto const before = found.size();
    read(*given, std::string(key), o, found, purpose::construction);
    if (found.size() == before && budget_) {
        auto same = budget_built_;
        read(*given, std::string(key), same, found, purpose::change);
    }
    if (found.size() != before) return o;
    try {
        (void)retry_budget(o);
    } catch (std::invalid_argument const& e) {
        found.push_back(detail::refusal_of(std::string(key), given, e.what()));
    }
    return o;
}

inline pipeline::draft pipeline::read_all(json::value const& document, findings& found) const
{
    draft d;
    d.budget = read_budget(document, found);
    json::array const* stages = document.if_array();
    if (auto const* fields = document.if_object()) {
        for (auto const& [name, value] : *fields) {
            if (name == "stages") {
                stages = value.if_array();
            } else if (name != "retry_budget") {
                found.push_back(
                    {std::string(name), {}, detail::unknown_name(std::string(name), {"stages", "retry_budget"})});
            }
        }
    }
    if (stages == nullptr) {
        found.push_back({"stages", {}, "must be a list of stages, outermost first, as in [{\"deadline\": \"2s\"}]"});
        return d;
    }
    for (std::size_t n = 0; n < stages->size() && found.size() < detail::most_findings; ++n)
        read_stage((*stages)[n], "stages[" + std::to_string(n) + ']', d, found);
    if (!found.empty()) return d;

    std::vector<weir::detail::role> roles;
    for (auto& p : d.places) {
        d.stages.push_back(p.element->made(p.is_new || p.differs));
        roles.push_back(d.stages.back().erased()->what);
    }
    if (auto const* fault = weir::detail::order_fault(roles)) found.push_back({"stages", {}, fault});
    return d;
}

inline findings pipeline::find_faults(json::value const& document) const
{
    std::scoped_lock const lock(applying_);
    findings found;
    (void)read_all(document, found);
    return found;
}

inline findings pipeline::apply(json::value const& document, std::optional<time_point> now)
{
    std::scoped_lock const lock(applying_);
    findings found;
    auto d = read_all(document, found);
    if (!found.empty()) return found;

    auto const before = guarded_.pin();
    std::vector<place*> done;
    auto const put_back = [&] {
        for (auto* p : done) p->element->put_back(now);
    };
    place* at = nullptr;
    try {
        for (auto& p : d.places) {
            if (p.is_new || !p.differs) continue;
            done.reserve(done.size() + 1);
            (at = &p)->element->put(now);
            done.push_back(at);
        }
        at = nullptr;
        guarded_.replace(std::move(d.stages));
        if (!parts_.budget) budget_->reconfigure(d.budget);
    } catch (std::invalid_argument const& e) {
        put_back();
        auto const n = static_cast<std::size_t>(at ? at - d.places.data() : 0);
        found.push_back({"stages[" + std::to_string(n) + ']', {}, e.what()});
        return found;
    } catch (...) {
        put_back();
        throw;
    }
    for (auto& p : d.places) p.element->keep(p.is_new || p.differs);
    places_ = std::move(d.places);
    return found;
}

}  // namespace weir::config
