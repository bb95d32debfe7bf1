// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/stage_text.hpp>
#include <weir/call/pipeline.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace weir {

enum class describe_style : std::uint8_t {
    line,  ///< call ── deadline 2s ── token_bucket 500/s burst 50 ──╢ retry 3 ╟── circuit_breaker ── operation
    ascii,   ///< call -- deadline 2s -- token_bucket 500/s burst 50 --[ retry 3 ]-- circuit_breaker -- operation
    nested,  ///< a line each, what is asked once per attempt further in; ASCII
};

namespace detail {

struct stage_picture {
    role what;
    std::string text;
};

/// What knows the pictures of its stages.
template <class P>
concept pictured = requires(P const& p) { std::vector<stage_picture>(p.pictures()); };

[[nodiscard]] std::string draw(std::vector<stage_picture> const& stages, describe_style style);

}  // namespace detail

/// A pipeline as it stands now, for a log line or an admin page: each stage by its name, with the options that matter.
///
///   std::clog << weir::describe(guarded) << '\n';
///
/// A gate is shown by its `name()`, and by what it has of rate(), burst(), limit(), window() and the like; one of your
/// own that has `std::string describe() const` is shown by that, and one that has no name by its type's.
/// Threads: beside calls, as the gates' observers. It is a picture, not a snapshot: of two gates that are being
///          reconfigured it may show one before and one after.
template <class... Stages>
[[nodiscard]] std::string describe(pipeline<Stages...>& guarded, describe_style style = describe_style::line)
{
    std::vector<detail::stage_picture> all;
    detail::each_stage<pipeline<Stages...>>([&](auto i) {
        auto const& stage = guarded.template stage<i>();
        all.push_back({detail::role_of<std::remove_cvref_t<decltype(stage)>>(), detail::stage_text(stage)});
    });
    return detail::draw(all, style);
}

/// The same for an `any_pipeline`.
template <detail::pictured AnyPipeline>
[[nodiscard]] std::string describe(AnyPipeline const& guarded, describe_style style = describe_style::line)
{
    return detail::draw(guarded.pictures(), style);
}

// Bodies

namespace detail {

inline std::string draw(std::vector<stage_picture> const& stages, describe_style style)
{
    auto const turns = [](role what) { return what == role::retry || what == role::hedge; };
    if (style == describe_style::nested) {
        std::string text = "call\n", margin = "  ";
        for (auto const& s : stages) {
            text += margin + s.text + (turns(s.what) ? ", around\n" : "\n");
            if (turns(s.what)) margin += "  ";
        }
        return text + margin + "operation\n";
    }
    bool const ascii = style == describe_style::ascii;
    std::string const line = ascii ? "--" : "\u2500\u2500";
    std::string const in = ascii ? "[ " : "\u2562 ", out = ascii ? " ]" : " \u255f";
    std::string text = "call ";
    for (auto const& s : stages) {
        bool const rule = turns(s.what);
        text += line + (rule ? in + s.text + out : ' ' + s.text + ' ');
    }
    return text + line + " operation";
}

}  // namespace detail
}  // namespace weir
