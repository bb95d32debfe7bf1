// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/any_registry.hpp>
#include <weir/registry/detail/registry_url.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <algorithm>
#include <concepts>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace weir::registry {

/// A kind of registry that a URL can name: it has `options` with a `url`, whose default has the scheme; or it says it,
/// in `scheme`. Of several with one scheme the first is used, unless the URL says tls=true or tls=false.
template <class R>
concept url_registry = discovery<R> && requires(asio::any_io_executor e, typename R::options o) {
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

/// What the URL says of TLS, if anything.
[[nodiscard]] inline std::optional<bool> asks_for_tls(std::string_view url)
{
    auto const question = url.find('?');
    if (question == url.npos) return std::nullopt;
    for (auto rest = url.substr(question + 1); !rest.empty();) {
        auto const pair = rest.substr(0, rest.find('&'));
        if (pair == "tls=true") return true;
        if (pair == "tls=false") return false;
        rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    }
    return std::nullopt;
}

template <class R>
inline constexpr bool speaks_tls = requires { requires R::tls; };
template <template <class> class R, class Transport>
inline constexpr bool speaks_tls<R<Transport>> = Transport::handshakes;

template <class R>
[[nodiscard]] std::string scheme_of()
{
    if constexpr (requires { R::scheme; }) {
        return std::string(R::scheme);
    } else {
        auto const url = std::string(typename R::options().url);
        return url.substr(0, url.find("://"));
    }
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
            if (scheme == detail::scheme_of<Registries>()) {
                auto const fits = !tls || *tls == detail::speaks_tls<Registries>;
                without_tls = without_tls || !fits;
                if (!found && fits) found = detail::opened<Registries>(executor, url);
            }
            auto const text = detail::scheme_of<Registries>() + "://";
            if (known.find(text) == known.npos) known += (known.empty() ? "" : ", ") + text;
        }(),
        ...);
    if (found) return *std::move(found);
    auto const bad = "weir: bad URL \"" + detail::shown_url(url) + "\": ";
    if (without_tls)
        throw std::invalid_argument(
            bad + (*tls ? "there is no TLS for this scheme here" : "this scheme is here with tls=true only"));
    throw std::invalid_argument(bad + "it must start with one of " + known);
}

}  // namespace weir::registry
