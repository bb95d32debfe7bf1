// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/outcome.hpp>

#include <concepts>
#include <type_traits>

namespace weir::detail {

/// In place of a classifier: every value is an answer.
struct no_judge {};

/// Whether `judge`, a classifier or a pipeline's classify rule, calls these values a failure.
template <class Judge, class... Values>
[[nodiscard]] bool is_failure(Judge const& judge, Values const&... values)
{
    if constexpr (std::same_as<Judge, no_judge> || sizeof...(Values) == 0) {
        return false;
    } else {
        static_assert(std::invocable<Judge const&, Values const&...>,
                      "judged_by: the classifier takes what the operation gives, const&");
        static_assert(std::same_as<std::invoke_result_t<Judge const&, Values const&...>, outcome>,
                      "judged_by: the classifier returns weir::outcome");
        return judge(values...).failed();
    }
}

}  // namespace weir::detail
