// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::config {

/// One thing that is wrong with a document. The value is quoted only where the key is one that weir reads: what else a
/// document holds may be a secret.
struct finding {
    std::string key;    ///< "limits.checkout.burst"; empty: the document as a whole
    std::string value;  ///< what was given, as it was written; empty: nothing, or not for our eyes
    std::string why;    ///< what would be right

    friend bool operator==(finding const&, finding const&) = default;
};

using findings = std::vector<finding>;

/// `limits.checkout.burst = 5000000000: must be at most 1000000000`.
[[nodiscard]] std::string to_text(finding const& f);

/// All of them, separated by "; ".
[[nodiscard]] std::string to_text(findings const& all);

namespace detail {

/// Who finds more than so many faults has been given something else than a configuration.
inline constexpr std::size_t most_findings = 20;

/// The name among `names` that was probably meant; empty: none is near.
[[nodiscard]] std::string nearest(std::string_view given, std::vector<std::string> const& names);

/// Why `given` is not one of `names`, and which was probably meant.
[[nodiscard]] std::string unknown_name(std::string_view given, std::vector<std::string> const& names);

}  // namespace detail

// Bodies

inline std::string to_text(finding const& f)
{
    auto out = f.key;
    if (!f.value.empty()) out += " = " + f.value;
    return out.empty() ? f.why : out + ": " + f.why;
}

inline std::string to_text(findings const& all)
{
    std::string out;
    for (auto const& f : all) out += (out.empty() ? "" : "; ") + to_text(f);
    return out;
}

namespace detail {

/// Insertions, deletions, replacements and swaps of neighbours that make `a` of `b` (Damerau 1964, Levenshtein 1966;
/// the "optimal string alignment" form, which edits no part twice).
[[nodiscard]] inline std::size_t edits(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before.swap(last);
        last.swap(row);
    }
    return last[b.size()];
}

inline std::string nearest(std::string_view given, std::vector<std::string> const& names)
{
    constexpr std::size_t longest = 64;  // the work is of the order of length x length, and `given` is from outside
    std::string best;
    if (given.size() > longest) return best;
    auto fewest = std::max<std::size_t>(2, given.size() / 3) + 1;
    for (auto const& name : names) {
        if (name.size() > longest) continue;
        if (auto const n = edits(given, name); n < fewest) fewest = n, best = name;
    }
    return best;
}

inline std::string unknown_name(std::string_view given, std::vector<std::string> const& names)
{
    constexpr std::size_t shown = 12;
    if (auto const meant = nearest(given, names); !meant.empty()) return "is unknown; did you mean \"" + meant + "\"?";
    if (names.empty()) return "is unknown; nothing is expected here";
    std::string out = "is unknown; there is ";
    for (std::size_t i = 0; i < std::min(names.size(), shown); ++i) out += (i ? ", " : "") + names[i];
    return out + (names.size() > shown ? ", ..." : "");
}

}  // namespace detail
}  // namespace weir::config
