// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/errc.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <ios>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

using weir::condition;
using weir::errc;
using weir::make_error_code;

namespace {

/// Whether E is an enumerator: the compiler then writes it by name, and any other value as a cast.
template <class Enum, Enum E>
consteval bool is_named()
{
    std::string_view const text = __PRETTY_FUNCTION__;  // "... E = weir::errc::stopped]", "... E = (weir::errc)77]"
    return text.rfind(')') == std::string_view::npos || text.rfind(')') < text.rfind(" E = ");
}
static_assert(is_named<errc, errc::rate_limited>());
static_assert(is_named<errc, errc::stopped>());
static_assert(!is_named<errc, static_cast<errc>(0)>());

constexpr std::size_t more_than_there_are = 128;

template <class Enum>
constexpr auto named = []<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<bool, sizeof...(I)>{is_named<Enum, static_cast<Enum>(I)>()...};
}(std::make_index_sequence<more_than_there_are>{});

struct grouping {
    bool rejected;
    bool transient;
};

/// What the enumeration's comments and the README's table promise. No default: a new code does not compile until
/// somebody has decided what it means for a retry.
grouping promised(errc e)
{
    switch (e) {
        case errc::rate_limited:
        case errc::too_many_calls:
        case errc::circuit_open:
        case errc::no_endpoint: return {.rejected = true, .transient = true};
        case errc::exceeds_burst:
        case errc::no_time_left: return {.rejected = true, .transient = false};
        case errc::attempt_timed_out:
        case errc::connection_closed:
        case errc::registry_unavailable: return {.rejected = false, .transient = true};
        case errc::deadline_exceeded:
        case errc::operation_threw:
        case errc::answer_failed:
        case errc::bad_request:
        case errc::bad_response:
        case errc::body_too_large:
        case errc::registry_refused:
        case errc::bad_document:
        case errc::stopped: return {.rejected = false, .transient = false};
    }
    return {};
}

}  // namespace

TEST_CASE("errc: every code has a message of its own, and nothing else has one")
{
    std::string const unknown = std::error_code(0, make_error_code(errc::stopped).category()).message();
    std::set<std::string> messages{unknown, ""};
    for (std::size_t i = 0; i < more_than_there_are; ++i) {
        CAPTURE(i);
        auto const message = make_error_code(static_cast<errc>(i)).message();
        if (named<errc>[i])
            CHECK(messages.insert(message).second);
        else
            CHECK(message == unknown);
    }
    CHECK(messages.size() > 10);
    CHECK(std::error_code(-1, make_error_code(errc::stopped).category()).message() == unknown);
}

TEST_CASE("condition: every condition has a message of its own, and nothing else has one")
{
    auto const& category = make_error_condition(condition::rejected).category();
    auto const unknown = category.message(0);
    std::set<std::string> messages{unknown, ""};
    for (std::size_t i = 0; i < more_than_there_are; ++i) {
        CAPTURE(i);
        auto const message = category.message(static_cast<int>(i));
        if (named<condition>[i])
            CHECK(messages.insert(message).second);
        else
            CHECK(message == unknown);
    }
    CHECK(category.name() == std::string_view("weir.condition"));
}

TEST_CASE("errc: belongs to the conditions that its comment promises, and to no other")
{
    for (std::size_t i = 0; i < more_than_there_are; ++i) {
        if (!named<errc>[i]) continue;
        auto const e = static_cast<errc>(i);
        std::error_code const code = e;
        CAPTURE(code.message());
        CHECK((code == condition::rejected) == promised(e).rejected);
        CHECK((code == condition::transient) == promised(e).transient);
        CHECK(code != static_cast<condition>(0));
        CHECK(code != static_cast<condition>(3));
    }
}

TEST_CASE("errc: a code is itself, in the category weir, and never the same number of somebody else")
{
    std::error_code const code = errc::circuit_open;
    CHECK(code == errc::circuit_open);
    CHECK(code != errc::rate_limited);
    CHECK(code.category().name() == std::string_view("weir"));
    CHECK(code.category() == make_error_code(errc::stopped).category());
    for (auto const* other : {&std::generic_category(), &std::system_category(), &std::iostream_category()}) {
        std::error_code const same_number(code.value(), *other);
        CHECK(same_number != errc::circuit_open);
        CHECK(same_number != condition::rejected);
    }
    CHECK(std::error_code() != condition::rejected);
    CHECK(std::error_code() != condition::transient);
    CHECK(code != std::errc::timed_out);
}

TEST_CASE("condition: transient covers what a system says of a peer that is away, and not what it says of us")
{
    for (auto const e : {std::errc::connection_refused, std::errc::connection_reset, std::errc::connection_aborted,
                         std::errc::broken_pipe, std::errc::timed_out, std::errc::host_unreachable,
                         std::errc::network_unreachable, std::errc::network_down, std::errc::network_reset,
                         std::errc::not_connected, std::errc::resource_unavailable_try_again, std::errc::interrupted}) {
        CAPTURE(make_error_code(e).message());
        CHECK(make_error_code(e) == condition::transient);
        CHECK(std::error_code(static_cast<int>(e), std::system_category()) == condition::transient);
        CHECK(make_error_code(e) != condition::rejected);
    }
    for (auto const e : {std::errc::operation_canceled, std::errc::permission_denied, std::errc::invalid_argument,
                         std::errc::no_such_file_or_directory, std::errc::not_enough_memory,
                         std::errc::too_many_files_open, std::errc::address_in_use, std::errc::bad_file_descriptor}) {
        CAPTURE(make_error_code(e).message());
        CHECK(make_error_code(e) != condition::transient);
        CHECK(make_error_code(e) != condition::rejected);
    }
    CHECK(make_error_code(std::io_errc::stream) != condition::transient);
}
