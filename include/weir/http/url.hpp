// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir::http {

/// Where a server is, as people write it: `http://host[:port][/base/path]` or `https://...`. Not a general URL: no user
/// information (a secret in a URL ends up in logs), no query and no fragment.
///
/// Refuses:  with a sentence that quotes what was given and says what would be right.
/// Throws:   only `parse`, std::invalid_argument with that sentence.
struct url {
    bool tls = false;
    std::string host;  ///< an address or a name; an IPv6 address without its brackets
    std::uint16_t port = 0;
    std::string path;  ///< the base: empty, or "/..." without a slash at the end

    [[nodiscard]] static url parse(std::string_view text);

    /// Nothing when `text` cannot be used; then `why`, if given, has the sentence.
    [[nodiscard]] static std::optional<url> try_parse(std::string_view text, std::string* why = nullptr);

    friend bool operator==(url const&, url const&) = default;
};

// Bodies

inline std::optional<url> url::try_parse(std::string_view text, std::string* why)
{
    auto const refuse = [&](std::string_view reason) -> std::optional<url> {
        if (why) {
            // What was given may hold anything, and the sentence goes to a log.
            std::string shown;
            for (char const c : text.substr(0, 200)) shown += c > 0x20 && c < 0x7f ? c : '?';
            *why = "weir: bad URL \"" + shown + "\": " + std::string(reason) + ", as in http://127.0.0.1:8500";
        }
        return std::nullopt;
    };

    url u;
    auto rest = text;
    if (rest.starts_with("http://")) rest.remove_prefix(7);
    else if (rest.starts_with("https://")) rest.remove_prefix(8), u.tls = true;
    else return refuse("it must start with http:// or https://");

    for (char const c : rest) {
        if (c <= 0x20 || c >= 0x7f) return refuse("it must be visible ASCII without spaces");
        if (c == '?' || c == '#') return refuse("it must end with the path: no query and no fragment");
        if (c == '\\') return refuse("it must have no backslash");
    }

    auto const slash = rest.find('/');
    auto authority = rest.substr(0, slash);
    if (slash != rest.npos) u.path = rest.substr(slash);
    while (u.path.ends_with('/')) u.path.pop_back();
    if (authority.find('@') != authority.npos) return refuse("it must carry no user name or password");

    auto const only = [](std::string_view s, std::string_view extra) {
        for (char const c : s) {
            bool const alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            if (!alnum && extra.find(c) == extra.npos) return false;
        }
        return !s.empty();
    };
    if (authority.starts_with('[')) {
        auto const close = authority.find(']');
        if (close == authority.npos) return refuse("the IPv6 address must be closed with ]");
        u.host = authority.substr(1, close - 1);
        if (!only(u.host, ":.") || u.host.find(':') == u.host.npos)
            return refuse("between [ and ] there must be an IPv6 address");
        authority.remove_prefix(close + 1);
        if (!authority.empty() && authority.front() != ':') return refuse("after ] there must be a port or a path");
    } else {
        u.host = authority.substr(0, authority.find(':'));
        authority.remove_prefix(u.host.size());
        if (!only(u.host, ".-_")) return refuse("the host must be a name or an address, IPv6 in brackets");
    }

    u.port = u.tls ? 443 : 80;
    if (!authority.empty()) {
        authority.remove_prefix(1);
        unsigned number = 0;
        auto const [end, error] = std::from_chars(authority.data(), authority.data() + authority.size(), number);
        if (error != std::errc{} || end != authority.data() + authority.size() || number < 1 || number > 65535)
            return refuse("the port must be a number from 1 to 65535");
        u.port = static_cast<std::uint16_t>(number);
    }
    return u;
}

inline url url::parse(std::string_view text)
{
    std::string why;
    auto u = try_parse(text, &why);
    if (!u) throw std::invalid_argument(why);
    return *std::move(u);
}

}  // namespace weir::http
