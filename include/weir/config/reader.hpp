// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/outcome_window.hpp>
#include <weir/config/fields.hpp>
#include <weir/config/finding.hpp>
#include <weir/config/units.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/rate.hpp>
#include <weir/retry/backoff.hpp>
#include <weir/retry/latency_quantile.hpp>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace weir::config {

namespace json = boost::json;

/// Are the options for something new, or a change of something that runs?
enum class purpose : std::uint8_t {
    construction,  ///< every field may be set
    change,        ///< a field that only construction sets may be named, if it stays what it is
};

/// Reads the fields of an options struct from an object of a document: what `describe` lists (see fields.hpp), by the
/// same names. What the object does not name keeps its value; what it names and `describe` does not is a finding, and
/// so is every value that cannot be read. Ranges are checked by whom the options are for.
///
///   options                     in the document
///   duration                    "250ms", "2s", "1h30m"; 0
///   rate                        "500/s", "10/min"
///   double                      0.5 or "50%"
///   whole numbers, sizes        100 or "100"; sizes also "64KiB"
///   bool                        true, false, or the words in quotes: key-value stores hold nothing but text
///   enumeration                 one of its words, "local_share"
///   backoff                     {"base": "50ms", "max": "2s", "multiplier": 2, "jitter": "full"}; with "kind":
///                               "linear" or "constant" (then "base" alone). Read as a whole: what is left out has its
///                               default
///   a breaker's window          {"calls": 100} or {"length": "10s", "buckets": 10}
///   a hedge's delay             "50ms" or {"quantile": 0.95, ...}
///   an optional                 its value or null
///
/// Throws: std::bad_alloc.   Threads: none.
class reader {
public:
    reader(json::object const& section, std::string key, findings& found, purpose p = purpose::change)
        : section_(section), key_(std::move(key)), found_(found), purpose_(p)
    {
    }

    template <class T>
    void operator()(std::string_view name, T& field);

    template <class T>
    void fixed(std::string_view name, T& field);

    void bytes(std::string_view name, std::size_t& field);
    void bytes_per_second(std::string_view name, std::uint64_t& field);
    template <class Enum>
    void one_of(std::string_view name, Enum& field,
                std::initializer_list<std::pair<char const*, std::type_identity_t<Enum>>> words);

    /// To be called last: the keys that no field was read from.
    void finish();

private:
    /// The value of `name`, or null. Remembers that there is such a name.
    [[nodiscard]] json::value const* find(std::string_view name);
    [[nodiscard]] std::string key_of(std::string_view name) const;

    json::object const& section_;
    std::string key_;
    findings& found_;
    purpose purpose_;
    std::vector<std::string> names_;
};

/// Reads a value of any type of the table above, or a struct that has `describe`. With a finding, `out` may be partly
/// read.
template <class T>
void read(json::value const& given, std::string const& key, T& out, findings& found, purpose p = purpose::change);

// Bodies

namespace detail {

template <class T>
concept described = requires(reader& r, T& t) { describe(r, t); };

/// The value as it stands in the document, fit for a sentence.
[[nodiscard]] inline std::string shown(json::value const& v)
{
    constexpr std::size_t most = 80;
    if (auto const* const s = v.if_string(); s != nullptr && s->size() > most) return in_quotes({s->data(), s->size()});
    if (v.is_object()) return v.get_object().empty() ? "{}" : "{...}";
    if (v.is_array()) return v.get_array().empty() ? "[]" : "[...]";
    if (auto const* const d = v.if_double()) {  // serialized, 0.5 is 5E-1
        auto const size = std::abs(*d);
        bool const long_winded = size != 0 && (size < 1e-6 || size >= 1e15);
        char digits[32];
        auto const end = std::to_chars(digits, digits + sizeof digits, *d,
                                       long_winded ? std::chars_format::scientific : std::chars_format::fixed);
        return {digits, end.ptr};
    }
    return json::serialize(v);
}

[[noreturn]] inline void wrong_type(std::string_view expected)
{
    throw std::invalid_argument("must be " + std::string(expected));
}

[[nodiscard]] inline std::string_view text_of(json::string const& s) noexcept { return {s.data(), s.size()}; }

[[nodiscard]] inline std::uint64_t whole_number(json::value const& v)
{
    if (auto const* const u = v.if_uint64()) return *u;
    if (auto const* const s = v.if_string()) return parse_count(text_of(*s));
    if (auto const* const i = v.if_int64()) {
        if (*i < 0) throw std::invalid_argument("must not be negative");
        return static_cast<std::uint64_t>(*i);
    }
    if (auto const* const d = v.if_double()) {  // 1e6
        if (*d >= 0 && *d <= 9007199254740992.0 && *d == static_cast<double>(static_cast<std::uint64_t>(*d)))
            return static_cast<std::uint64_t>(*d);
    }
    wrong_type("a whole number, as in 100");
}

// One overload per type of the table. They throw std::invalid_argument with a sentence.

inline void take(json::value const& v, duration& out)
{
    if (auto const* const s = v.if_string()) {
        out = parse_duration(text_of(*s));
    } else if (v.is_number() && v.to_number<double>() == 0) {
        out = duration::zero();
    } else if (v.is_number()) {
        throw std::invalid_argument("has no unit: " + std::string(right_duration));
    } else {
        wrong_type("a duration, as in \"250ms\" or \"1h30m\"");
    }
}

inline void take(json::value const& v, rate& out)
{
    if (auto const* const s = v.if_string()) {
        out = parse_rate(text_of(*s));
        return;
    }
    wrong_type("a rate, as in \"500/s\" or \"10/min\"");
}

inline void take(json::value const& v, double& out)
{
    if (auto const* const s = v.if_string()) {
        auto const t = text_of(*s);
        out = t.ends_with('%') ? parse_ratio(t) : parse_number(t);
    } else if (v.is_number()) {
        out = v.to_number<double>();
    } else {
        wrong_type("a number, as in 0.5 or \"50%\"");
    }
}

inline void take(json::value const& v, bool& out)
{
    if (auto const* const b = v.if_bool())
        out = *b;
    else if (auto const* const s = v.if_string())
        out = parse_bool(text_of(*s));
    else
        wrong_type("true or false");
}

inline void take(json::value const& v, std::string& out)
{
    if (!v.is_string()) wrong_type("text in quotes");
    out = text_of(v.get_string());
}

template <std::unsigned_integral Number>
    requires(!std::same_as<Number, bool>)
void take(json::value const& v, Number& out)
{
    auto const n = whole_number(v);
    if (n > std::numeric_limits<Number>::max())
        throw std::invalid_argument("must be at most " + std::to_string(std::numeric_limits<Number>::max()));
    out = static_cast<Number>(n);
}

/// `backoff` as a document has it.
struct backoff_fields {
    std::string kind = "exponential";
    duration base = std::chrono::milliseconds(100);
    std::optional<duration> max = {};
    double multiplier = 2;
    std::string jitter = "full";
};

template <class F>
void describe(F& f, backoff_fields& b)
{
    f("kind", b.kind);
    f("base", b.base);
    f("max", b.max);
    f("multiplier", b.multiplier);
    f("jitter", b.jitter);
}

[[nodiscard]] inline jitter jitter_named(std::string const& name)
{
    if (name == "none") return jitter::none;
    if (name == "full") return jitter::full;
    if (name == "equal") return jitter::equal;
    if (name == "decorrelated") return jitter::decorrelated;
    throw std::invalid_argument("jitter " + in_quotes(name) + ' ' +
                                unknown_name(name, {"none", "full", "equal", "decorrelated"}));
}

[[nodiscard]] inline backoff to_backoff(backoff_fields const& b)
{
    using namespace std::chrono_literals;
    auto const j = jitter_named(b.jitter);
    if (b.kind == "exponential")
        return exponential(b.base, b.max.value_or(std::max(b.base, duration(10s))), b.multiplier).with(j);
    if (b.kind == "linear") return linear(b.base, b.max.value_or(std::max(b.base, duration(10s)))).with(j);
    if (b.kind == "constant") return constant(b.base).with(j);
    throw std::invalid_argument("kind " + in_quotes(b.kind) + ' ' +
                                unknown_name(b.kind, {"exponential", "linear", "constant"}));
}

template <class T>
struct reading {
    static void from(json::value const& v, std::string const&, T& out, findings&, purpose) { take(v, out); }
};

template <described T>
struct reading<T> {
    static void from(json::value const& v, std::string const& key, T& out, findings& found, purpose p)
    {
        if (!v.is_object()) wrong_type("an object, as in {\"name\": value}");
        reader r(v.get_object(), key, found, p);
        describe(r, out);
        r.finish();
    }
};

template <class T>
struct reading<std::optional<T>> {
    static void from(json::value const& v, std::string const& key, std::optional<T>& out, findings& found, purpose p)
    {
        if (v.is_null()) return out.reset();
        T value{};
        reading<T>::from(v, key, value, found, p);
        out = std::move(value);
    }
};

template <class T>
struct reading<std::vector<T>> {
    static void from(json::value const& v, std::string const& key, std::vector<T>& out, findings& found, purpose p)
    {
        if (!v.is_array()) wrong_type("a list, as in [1, 2]");
        out.clear();
        for (auto const& element : v.get_array()) {
            T value{};
            read(element, key + '[' + std::to_string(out.size()) + ']', value, found, p);
            out.push_back(std::move(value));
        }
    }
};

template <class T>
struct reading<std::map<std::string, T>> {
    static void from(json::value const& v, std::string const& key, std::map<std::string, T>& out, findings& found,
                     purpose p)
    {
        if (!v.is_object()) wrong_type("an object, as in {\"name\": value}");
        out.clear();
        for (auto const& [name, element] : v.get_object()) {
            T value{};
            read(element, key + '.' + std::string(name), value, found, p);
            out.emplace(std::string(name), std::move(value));
        }
    }
};

template <>
struct reading<backoff> {
    static void from(json::value const& v, std::string const& key, backoff& out, findings& found, purpose p)
    {
        backoff_fields fields;
        auto const before = found.size();
        reading<backoff_fields>::from(v, key, fields, found, p);
        if (found.size() == before) out = to_backoff(fields);
    }
};

template <>
struct reading<outcome_window> {
    static void from(json::value const& v, std::string const& key, outcome_window& out, findings& found, purpose p)
    {
        if (!v.is_object()) wrong_type("an object, as in {\"calls\": 100} or {\"length\": \"10s\", \"buckets\": 10}");
        auto const read_as = [&](auto kind) {
            if (auto const* const same = std::get_if<decltype(kind)>(&out)) kind = *same;
            reading<decltype(kind)>::from(v, key, kind, found, p);
            out = kind;
        };
        v.get_object().contains("calls") ? read_as(count_window{}) : read_as(time_window{});
    }
};

template <>
struct reading<std::variant<duration, latency_quantile_options>> {
    static void from(json::value const& v, std::string const& key,
                     std::variant<duration, latency_quantile_options>& out, findings& found, purpose p)
    {
        if (!v.is_object()) {
            duration d{};
            take(v, d);
            out = d;
            return;
        }
        auto const* const same = std::get_if<latency_quantile_options>(&out);
        auto q = same != nullptr ? *same : latency_quantile_options{};
        reading<latency_quantile_options>::from(v, key, q, found, p);
        out = q;
    }
};

/// Calls `f`, and makes a finding of what it refuses.
template <class F>
void read_with(json::value const& given, std::string const& key, findings& found, F f)
{
    try {
        f();
    } catch (std::invalid_argument const& e) {
        std::string_view why = e.what();
        if (why.starts_with("weir: ")) why.remove_prefix(6);
        if (given.is_string())  // what is quoted there is shown here
            if (auto const said = in_quotes(text_of(given.get_string())) + ' '; why.starts_with(said))
                why.remove_prefix(said.size());
        found.push_back({key, shown(given), std::string(why)});
    }
}

}  // namespace detail

template <class T>
void read(json::value const& given, std::string const& key, T& out, findings& found, purpose p)
{
    detail::read_with(given, key, found, [&] { detail::reading<T>::from(given, key, out, found, p); });
}

inline json::value const* reader::find(std::string_view name)
{
    names_.emplace_back(name);
    return section_.if_contains({name.data(), name.size()});
}

inline std::string reader::key_of(std::string_view name) const
{
    return key_.empty() ? std::string(name) : key_ + '.' + std::string(name);
}

template <class T>
void reader::operator()(std::string_view name, T& field)
{
    if (auto const* const v = find(name)) read(*v, key_of(name), field, found_, purpose_);
}

template <class T>
void reader::fixed(std::string_view name, T& field)
{
    if (purpose_ == purpose::construction) return (*this)(name, field);
    auto const* const v = find(name);
    if (v == nullptr) return;
    auto given = field;
    auto const before = found_.size();
    read(*v, key_of(name), given, found_, purpose_);
    if (found_.size() == before && !(given == field))
        found_.push_back({key_of(name), detail::shown(*v), "is set at construction and cannot be changed"});
}

inline void reader::bytes(std::string_view name, std::size_t& field)
{
    auto const* const v = find(name);
    if (v == nullptr) return;
    if (!v->is_string()) return read(*v, key_of(name), field, found_, purpose_);
    detail::read_with(*v, key_of(name), found_, [&] { field = parse_bytes(detail::text_of(v->get_string())); });
}

inline void reader::bytes_per_second(std::string_view name, std::uint64_t& field)
{
    auto const* const v = find(name);
    if (v == nullptr) return;
    if (!v->is_string()) return read(*v, key_of(name), field, found_, purpose_);
    detail::read_with(*v, key_of(name), found_,
                      [&] { field = parse_bytes_per_second(detail::text_of(v->get_string())); });
}

template <class Enum>
void reader::one_of(std::string_view name, Enum& field,
                    std::initializer_list<std::pair<char const*, std::type_identity_t<Enum>>> words)
{
    auto const* const v = find(name);
    if (v == nullptr) return;
    detail::read_with(*v, key_of(name), found_, [&] {
        std::string given;
        detail::take(*v, given);
        std::vector<std::string> known;
        for (auto const& [word, value] : words) {
            if (given == word) {
                field = value;
                return;
            }
            known.emplace_back(word);
        }
        throw std::invalid_argument(detail::unknown_name(given, known));
    });
}

inline void reader::finish()
{
    for (auto const& [name, value] : section_) {
        std::string const given(name);
        if (found_.size() >= detail::most_findings) return;
        if (std::find(names_.begin(), names_.end(), given) == names_.end())
            found_.push_back({key_of(given), {}, detail::unknown_name(given, names_)});
    }
}

}  // namespace weir::config
