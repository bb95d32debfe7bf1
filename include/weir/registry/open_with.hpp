// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/any_registry.hpp>
#include <weir/registry/detail/registry_url.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <concepts>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace weir::registry {

/// A kind of registry that a URL can name: it has `scheme`, and `options` with a `url`. One that speaks TLS has `tls`,
/// too, which is true; it is used for URLs with `tls=true`.
template <class R>
concept url_registry = discovery<R> && requires(asio::any_io_executor e, typename R::options o) {
    {
        R::scheme
    } -> std::convertible_to<std::string_view>;
    o.url = std::string();
    R(e, o);
};

/// The registry that a URL names, of those kinds that are listed here: a program pays for what it lists. open.hpp lists
/// all.
///
///   auto registry = weir::registry::open_with<weir::registry::consul, weir::registry::file>(executor, url);
///
/// Throws:  std::invalid_argument, with a sentence that says what would be right and quotes no secret.
/// Cost:    header-only code has no place to be compiled once, so a program that opens in many files writes a function
///          of its own around this, in one of them.
/// Seen in: examples/34_registries_by_url.cpp
template <url_registry... Registries>
[[nodiscard]] any_registry open_with(asio::any_io_executor executor, std::string_view url);

// Bodies

namespace detail {

[[nodiscard]] inline bool asks_for_tls(std::string_view url)
{
    auto const question = url.find('?');
    if (question == url.npos) return false;
    for (auto rest = url.substr(question + 1); !rest.empty();) {
        auto const pair = rest.substr(0, rest.find('&'));
        if (pair == "tls=true") return true;
        rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    }
    return false;
}

template <class R>
[[nodiscard]] constexpr bool speaks_tls()
{
    if constexpr (requires { R::tls; }) return R::tls;
    return false;
}

template <class R>
[[nodiscard]] any_registry opened(asio::any_io_executor const& executor, std::string_view url)
{
    typename R::options o;
    o.url = std::string(url);
    return R(executor, o);
}

}  // namespace detail

template <url_registry... Registries>
any_registry open_with(asio::any_io_executor executor, std::string_view url)
{
    auto const end = url.find("://");
    auto const scheme = end == url.npos ? std::string_view() : url.substr(0, end);
    auto const tls = detail::asks_for_tls(url);
    std::optional<any_registry> found;
    std::string known;
    bool without_tls = false;
    (
        [&] {
            if (scheme == Registries::scheme) {
                auto const fits = tls == detail::speaks_tls<Registries>();
                without_tls = without_tls || !fits;
                if (!found && fits) found = detail::opened<Registries>(executor, url);
            }
            auto const text = std::string(Registries::scheme) + "://";
            if (known.find(text) == known.npos) known += (known.empty() ? "" : ", ") + text;
        }(),
        ...);
    if (found) return *std::move(found);
    auto const bad = "weir: bad URL \"" + detail::shown_url(url) + "\": ";
    if (without_tls)
        throw std::invalid_argument(
            bad + (tls ? "there is no TLS for this scheme here" : "this scheme is here with tls=true only"));
    throw std::invalid_argument(bad + "it must start with one of " + known);
}

}  // namespace weir::registry
