// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <charconv>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

/// What is lost when a request is not served; the most important first.
/// Source: B. Beyer et al. (ed.), "Site Reliability Engineering", 2016, chapter 21.
enum class criticality : std::uint8_t {
    critical_plus,   ///< a user notices at once, and badly
    critical,        ///< a user notices: the default
    sheddable_plus,  ///< partly absent is expected: batch jobs that will come again
    sheddable,       ///< often absent is expected
};

/// Who is served first, and who is shed first. It is chosen once, where a request enters the system, and goes along
/// with all that the request causes. Every service on the way then sheds the same requests: were each to draw its own
/// lots, a request that needs four calls of a service at twice its capacity would succeed once in sixteen times, and
/// not once in two.
///
/// `cohort` orders those of equal criticality: for example `cohort_of` a user, so that the same users are served, or a
/// random number. It should change from time to time, or the same ones lose for ever.
/// Source: H. Zhou et al., "Overload Control for Scaling WeChat Microservices" (DAGOR), SoCC 2018.
/// Seen in: tests/core/priority.cpp
struct request_priority {
    criticality level = criticality::critical;
    std::uint8_t cohort = 0;  ///< 0 to 127, the lowest is served first

    static constexpr unsigned ranks = 4 * 128;

    /// 0, served first, to ranks - 1.
    [[nodiscard]] constexpr unsigned rank() const noexcept
    {
        return static_cast<unsigned>(level) * 128u + (cohort & 127u);
    }
    friend constexpr auto operator<=>(request_priority const& a, request_priority const& b) noexcept
    {
        return a.rank() <=> b.rank();
    }
    friend constexpr bool operator==(request_priority const& a, request_priority const& b) noexcept
    {
        return a.rank() == b.rank();
    }
};

/// The cohort of a user, or of whatever must be served whole or not at all. `epoch`, for example the hour, deals anew.
[[nodiscard]] constexpr std::uint8_t cohort_of(std::uint64_t user, std::uint64_t epoch) noexcept
{
    // The finaliser of splitmix64 (S. Vigna): every bit of user and epoch moves the top seven.
    auto z = user + 0x9e37'79b9'7f4a'7c15u * (epoch + 1);
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9u;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebu;
    return static_cast<std::uint8_t>((z ^ (z >> 31)) >> 57);
}

/// The header that carries a priority from service to service.
inline constexpr std::string_view priority_header = "x-request-priority";

/// "level.cohort", for example "1.37".
[[nodiscard]] inline std::string to_header(request_priority p)
{
    return std::to_string(static_cast<unsigned>(p.level)) + '.' + std::to_string(p.cohort & 127u);
}

/// Nothing, if that is not exactly what `to_header` writes: what comes from outside is not guessed at.
[[nodiscard]] inline std::optional<request_priority> parse_priority(std::string_view text) noexcept
{
    if (text.size() < 3 || text.size() > 5 || text[0] < '0' || text[0] > '3' || text[1] != '.') return std::nullopt;
    unsigned cohort = 0;
    auto const* const end = text.data() + text.size();
    auto const [stopped, error] = std::from_chars(text.data() + 2, end, cohort);
    if (error != std::errc{} || stopped != end || cohort > 127 || (text[2] == '0' && text.size() > 3))
        return std::nullopt;
    return request_priority{static_cast<criticality>(text[0] - '0'), static_cast<std::uint8_t>(cohort)};
}

}  // namespace weir
