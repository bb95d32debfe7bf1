// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/balance/endpoint_set.hpp>
#include <weir/config/finding.hpp>
#include <weir/config/live.hpp>
#include <weir/config/reader.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::config {

/// What a document can change while it runs. `reconfigure` throws std::invalid_argument to refuse, and has then changed
/// nothing.
template <class P>
concept reconfigurable = requires(P& p, typename P::options const& o) {
    typename P::options;
    p.reconfigure(o);
};

/// Which part of a document is for whom. Keys are paths, with points between the names.
///
///   weir::config::binding bound;
///   bound.bind("limits.checkout", bucket, {.rate = weir::per_second(100)});
///   bound.bind("breakers.inventory", breaker);
///   bound.apply({...});                                   // or let config::refresh do it
///
/// A document is applied whole or not at all: first every section is read into options of its own and checked, by
/// building a policy of them for the purpose; only when there is not one finding is any policy reconfigured; and if one
/// of them refuses even then, those before it get back what they had. Each policy changes at one instant and keeps its
/// state; of two policies one changes a little before the other.
/// What the document leaves out has the value given to `bind`; so a key that is taken out of the document goes back to
/// it. A key that nobody is bound to is refused: it is a misspelling, or somebody believes that it does something.
///
/// Throws:  `bind` and `ignore`, std::invalid_argument for a key that is empty, taken, or within another's section.
/// Threads: none; config::refresh serialises. What is bound must outlive it.
/// Seen in: examples/32_hot_refresh.cpp
class binding {
public:
    binding() = default;
    binding(binding&&) = default;
    binding& operator=(binding&&) = default;

    /// `base`: the options that the policy was built with. The document may leave out the section, or fields of it.
    template <reconfigurable Policy>
    binding& bind(std::string key, Policy& policy, typename Policy::options base);

    /// A policy built with the default options. The section must be there: without it, a policy built with others would
    /// lose them and nobody would notice.
    template <reconfigurable Policy>
    binding& bind(std::string key, Policy& policy);

    /// Starts from the value as it is now.
    template <class T>
    binding& bind(std::string key, live<T>& value);

    /// The weights of a route's endpoints, by their ids: {"blue": 90, "green": 10}. For a set that no registry writes:
    /// there the weights come with the instances.
    binding& bind(std::string key, endpoint_set& route);

    /// The section is somebody else's: whatever is in it is right.
    binding& ignore(std::string key);

    /// What is wrong with this document. Nothing is changed.
    [[nodiscard]] findings check(json::object const& document);

    /// Checks, then changes everything that the document changes. With findings nothing has changed.
    [[nodiscard]] findings apply(json::object const& document);

    /// The keys whose policies the last `apply` reconfigured: those whose sections were different from before.
    [[nodiscard]] std::vector<std::string> const& changed() const noexcept { return changed_; }

private:
    struct section {
        explicit section(std::string k) : key(std::move(k)) {}
        section(section const&) = delete;
        virtual ~section() = default;

        virtual void stage(json::value const* given, findings& found) = 0;  // null: it is not there
        virtual void put() = 0;                                             // what was staged, into force
        virtual void put_back() = 0;

        std::string const key;
        std::optional<json::value> staged, in_force;  // as the document had it; null: it had not
    };
    template <class Target>
    struct bound;
    struct foreign;
    struct route_weights;

    void add(std::unique_ptr<section> s);
    void find_unknown(json::object const& part, std::string const& path, findings& found) const;

    std::vector<std::unique_ptr<section>> sections_;
    std::vector<std::string> changed_;
};

// Bodies

namespace detail {

/// Finds out whether `o` would do, without touching the policy: asks it, or the options, if they can say, or builds
/// another one.
/// Throws: std::invalid_argument.
template <class Policy>
void try_out(Policy const& policy, typename Policy::options const& o)
{
    if constexpr (requires { policy.check(o); })
        policy.check(o);
    else if constexpr (requires { o.check(); })
        o.check();
    else if constexpr (std::is_constructible_v<Policy, typename Policy::options const&>)
        (void)Policy(o);
    else if constexpr (std::is_constructible_v<Policy, endpoint_set const&, typename Policy::options const&>)
        (void)Policy(endpoint_set(), o);
}

/// Goes down from `v` by the first name of `path`, "quotas[1].burst", and takes it off. Null: the document has no such
/// thing, and nothing is taken.
[[nodiscard]] inline json::value const* descend(json::value const* v, std::string_view& path, std::string& where)
{
    auto const name = path.substr(0, path.find_first_of(".["));
    auto const after = path.substr(name.size());
    if (path.starts_with('[')) {
        auto const end = path.find(']');
        std::size_t n = 0;
        if (end == path.npos || !v->is_array() ||
            std::from_chars(path.data() + 1, path.data() + end, n).ec != std::errc{} || n >= v->get_array().size())
            return nullptr;
        where += path.substr(0, end + 1);
        path.remove_prefix(std::min(path.size(), end + (path.substr(end + 1).starts_with('.') ? 2 : 1)));
        return &v->get_array()[n];
    }
    auto const* const next = v->is_object() ? v->get_object().if_contains({name.data(), name.size()}) : nullptr;
    if (next == nullptr) return nullptr;
    where += '.' + std::string(name);
    path = after.starts_with('.') ? after.substr(1) : after;
    return next;
}

/// What a policy said of its options, as a finding in the document: "weir: token_bucket_options.burst must be at most
/// 9, and is 10" becomes "limits.checkout.burst = 10: must be at most 9". What says no field is passed on as it is.
[[nodiscard]] inline finding refusal_of(std::string const& key, json::value const* given, std::string_view why)
{
    if (why.starts_with("weir: ")) why.remove_prefix(6);
    auto const field = why.substr(0, why.find(' '));
    auto const point = field.find('.');
    if (point == why.npos || given == nullptr || !given->is_object())
        return {key, given != nullptr ? shown(*given) : std::string(), std::string(why)};
    auto path = field.substr(point + 1);
    std::string sentence(why.substr(std::min(why.size(), field.size() + 1)));

    auto where = key;
    auto const name = path.substr(0, path.find_first_of(".["));
    if (!given->get_object().contains({name.data(), name.size()}))
        for (auto const& [part, inner] : given->get_object())  // an algorithm's options within those of its limit
            if (inner.is_object() && inner.get_object().contains({name.data(), name.size()})) {
                where += '.' + std::string(part);
                given = &inner;
                break;
            }
    json::value const* deepest = nullptr;
    while (!path.empty()) {
        auto const* const next = descend(deepest != nullptr ? deepest : given, path, where);
        if (next == nullptr) break;
        deepest = next;
    }
    if (deepest == nullptr) return {where + '.' + std::string(path), {}, std::move(sentence)};
    if (path.empty())
        sentence = sentence.substr(0, sentence.rfind(", and is "));  // the value is shown as it was written
    else
        sentence = std::string(path) + ' ' + sentence;  // a part of what is one text in the document
    return {where, shown(*deepest), std::move(sentence)};
}

}  // namespace detail

/// A policy and the options it has.
template <class Target>
struct binding::bound final : section {
    using options = typename Target::options;

    bound(std::string k, Target& t, options b, bool r)
        : section(std::move(k)), target(&t), base(b), now(std::move(b)), next(base), required(r)
    {
    }

    void stage(json::value const* given, findings& found) override
    {
        next = base;
        if (given == nullptr) {
            if (required) found.push_back({key, {}, "is missing"});
            return;
        }
        auto const before = found.size();
        read(*given, key, next, found);
        if (found.size() != before) return;
        try {
            detail::try_out(*target, next);
        } catch (std::invalid_argument const& e) {
            found.push_back(detail::refusal_of(key, given, e.what()));
        }
    }

    void put() override
    {
        target->reconfigure(next);
        previous = std::exchange(now, next);
    }

    void put_back() override
    {
        target->reconfigure(previous);
        now = previous;
    }

    Target* target;
    options base, now, next, previous{base};
    bool required;
};

struct binding::foreign final : section {
    using section::section;
    void stage(json::value const*, findings&) override {}
    void put() override {}
    void put_back() override {}
};

struct binding::route_weights final : section {
    using weights = std::map<std::string, std::uint32_t>;

    route_weights(std::string k, endpoint_set& s) : section(std::move(k)), set(&s), base(of(*s.snapshot())) {}

    static weights of(endpoint_snapshot const& s)
    {
        weights w;
        for (auto const& m : s.members()) w.emplace(m.endpoint.id, m.endpoint.weight);
        return w;
    }

    void stage(json::value const* given, findings& found) override
    {
        next = base;
        if (given == nullptr) return;
        weights told;
        read(*given, key, told, found);
        std::vector<std::string> ids;
        for (auto const& [id, weight] : base) ids.push_back(id);
        for (auto const& [id, weight] : told) {
            if (base.contains(id))
                next[id] = weight;
            else
                found.push_back({key + '.' + id, {}, detail::unknown_name(id, ids)});
        }
    }

    void put() override { previous = set_weights(next); }
    void put_back() override { (void)set_weights(previous); }

    /// Returns those before.
    weights set_weights(weights const& w) const
    {
        auto const now = set->snapshot();
        std::vector<endpoint> all;
        for (auto const& m : now->members()) {
            all.push_back(m.endpoint);
            if (auto const found = w.find(m.endpoint.id); found != w.end()) all.back().weight = found->second;
        }
        set->update(std::move(all));
        return of(*now);
    }

    endpoint_set* set;
    weights base, next, previous;
};

template <reconfigurable Policy>
binding& binding::bind(std::string key, Policy& policy, typename Policy::options base)
{
    add(std::make_unique<bound<Policy>>(std::move(key), policy, std::move(base), false));
    return *this;
}

template <reconfigurable Policy>
binding& binding::bind(std::string key, Policy& policy)
{
    add(std::make_unique<bound<Policy>>(std::move(key), policy, typename Policy::options{}, true));
    return *this;
}

template <class T>
binding& binding::bind(std::string key, live<T>& value)
{
    add(std::make_unique<bound<live<T>>>(std::move(key), value, *value.get(), false));
    return *this;
}

inline binding& binding::bind(std::string key, endpoint_set& route)
{
    add(std::make_unique<route_weights>(std::move(key), route));
    return *this;
}

inline binding& binding::ignore(std::string key)
{
    add(std::make_unique<foreign>(std::move(key)));
    return *this;
}

inline void binding::add(std::unique_ptr<section> s)
{
    auto const within = [](std::string const& inner, std::string const& outer) {
        return inner == outer || (inner.starts_with(outer) && inner[outer.size()] == '.');
    };
    if (s->key.empty() || s->key.front() == '.' || s->key.back() == '.' || s->key.find("..") != std::string::npos)
        throw std::invalid_argument("weir: a key to bind must be names with points between them, and is \"" + s->key +
                                    '"');
    for (auto const& other : sections_)
        if (within(s->key, other->key) || within(other->key, s->key))
            throw std::invalid_argument("weir: \"" + s->key + "\" cannot be bound beside \"" + other->key +
                                        "\": one is part of the other");
    sections_.push_back(std::move(s));
}

// Everything on the way to the bound sections, and beside it.
inline void binding::find_unknown(json::object const& part, std::string const& path, findings& found) const
{
    for (auto const& [name, value] : part) {
        if (found.size() >= detail::most_findings) return;
        auto const key = path + std::string(name);
        bool is_bound = false, leads_on = false;
        std::vector<std::string> there;
        for (auto const& s : sections_) {
            is_bound = is_bound || s->key == key;
            leads_on = leads_on || s->key.starts_with(key + '.');
            if (!s->key.starts_with(path)) continue;
            auto next = s->key.substr(path.size());
            next = next.substr(0, next.find('.'));
            if (std::find(there.begin(), there.end(), next) == there.end()) there.push_back(std::move(next));
        }
        if (is_bound) continue;
        if (!leads_on)
            found.push_back({key, {}, detail::unknown_name({name.data(), name.size()}, there)});
        else if (!value.is_object())
            found.push_back({key, {}, "must be an object"});
        else
            find_unknown(value.get_object(), key + '.', found);
    }
}

inline findings binding::check(json::object const& document)
{
    findings found;
    find_unknown(document, {}, found);
    for (auto const& s : sections_) {
        // Down the path; what is in the way there has been found above.
        json::object const* part = &document;
        json::value const* given = nullptr;
        for (std::string_view rest = s->key; part != nullptr && !rest.empty();) {
            auto const name = rest.substr(0, rest.find('.'));
            rest.remove_prefix(std::min(rest.size(), name.size() + 1));
            given = part->if_contains({name.data(), name.size()});
            part = given != nullptr ? given->if_object() : nullptr;
            if (!rest.empty() && part == nullptr) given = nullptr;
        }
        s->staged = given != nullptr ? *given : json::value();
        s->stage(given, found);
        if (found.size() >= detail::most_findings) break;
    }
    return found;
}

inline findings binding::apply(json::object const& document)
{
    auto found = check(document);
    if (!found.empty()) return found;
    std::vector<section*> done;
    for (auto const& s : sections_) {
        if (s->in_force == s->staged) continue;
        try {
            s->put();
        } catch (std::exception const& e) {
            found.push_back(detail::refusal_of(s->key, nullptr, e.what()));
            break;
        }
        done.push_back(s.get());
    }
    if (!found.empty()) {
        for (; !done.empty(); done.pop_back()) done.back()->put_back();
        return found;
    }
    changed_.clear();
    for (auto* const s : done) {
        s->in_force = std::move(s->staged);
        changed_.push_back(s->key);
    }
    return found;
}

}  // namespace weir::config
