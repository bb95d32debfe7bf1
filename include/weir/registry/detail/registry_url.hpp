// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/endpoint.hpp>
#include <weir/core/time.hpp>
#include <weir/registry/secret.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// What URLs of one kind of registry look like.
struct registry_url_form {
    enum hosts : std::uint8_t { needed, optional, none };

    std::string scheme;                        ///< "consul"
    std::string example;                       ///< shown with every refusal: "consul://127.0.0.1:8500"
    std::uint16_t port = 0;                    ///< where the URL names none; 0: it has to
    std::vector<std::string> parameters = {};  ///< keys that may follow the '?'
    hosts servers = needed;
    bool user = false;    ///< user:password@ is allowed
    bool http = true;     ///< http:// and https:// are taken too, with their own default ports; and `tls=true`
    bool tls = false;     ///< `tls=true` alone is taken, without http:// and https://
    bool secure = false;  ///< the scheme itself means TLS
};

/// What a URL says of TLS beyond that it is to be spoken, empty where it says nothing.
struct registry_url_tls {
    std::string ca_file = {};      ///< `ca_file`: PEM, the authorities to trust instead of the system's
    std::string cert_file = {};    ///< `cert_file`: PEM chain to show to the server
    std::string key_file = {};     ///< `key_file`: PEM, the key to it
    std::string server_name = {};  ///< `server_name`: whom the server's certificate has to be for, instead of the host

    [[nodiscard]] bool any() const
    {
        return !ca_file.empty() || !cert_file.empty() || !key_file.empty() || !server_name.empty();
    }
};

/// Where a registry is, and how to use it, as people write it:
///
///   scheme://[user:password@]host[:port][,host[:port]...][/path][?key=value&...]
///
/// Each part but scheme and host may be percent-encoded, and is decoded here. Units of times: "250ms", "10s", "5m".
/// Where TLS may be spoken, all know `tls`, and with TLS the parameters of registry_url_tls.
/// Refuses: what is not of the form, with a sentence that quotes what was given and says what would be right. User
///          information and the values of parameters are not quoted.
/// Throws:  std::invalid_argument with that sentence.
class registry_url {
public:
    [[nodiscard]] static registry_url parse(std::string_view text, registry_url_form form);

    std::string scheme;
    bool tls = false;
    std::string user;
    secret password;
    std::vector<endpoint> servers;  ///< ids are "host:port"
    std::string path;               ///< empty, or "/..." without a slash at the end

    [[nodiscard]] bool has(std::string const& key) const { return parameters_.count(key) != 0; }

    /// A parameter, or `otherwise` where the URL does not have it.
    [[nodiscard]] std::string text(std::string const& key, std::string otherwise = {}) const;
    [[nodiscard]] secret hidden(std::string const& key) const { return secret(text(key)); }
    [[nodiscard]] bool flag(std::string const& key, bool otherwise) const;
    [[nodiscard]] std::uint64_t number(std::string const& key, std::uint64_t otherwise,
                                       std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) const;
    [[nodiscard]] duration span(std::string const& key, duration otherwise) const;
    [[nodiscard]] registry_url_tls tls_files() const;

    /// Throws std::invalid_argument: this URL is bad for `reason`.
    [[noreturn]] void refuse(std::string const& reason) const;

private:
    void read(std::string_view rest);
    void read_user(std::string_view text);
    void read_server(std::string_view text);
    void read_parameters(std::string_view text);
    void read_tls();
    static constexpr std::array of_tls{"ca_file", "cert_file", "key_file", "server_name"};
    [[nodiscard]] std::string decoded(std::string_view text, char const* what) const;

    registry_url_form form_;
    std::string shown_;  // fit for a log
    std::uint16_t default_port_ = 0;
    std::map<std::string, std::string> parameters_;
};

/// `text` as it may be quoted: printable, short, without user information and values of parameters.
[[nodiscard]] std::string shown_url(std::string_view text);

// Bodies

inline std::string shown_url(std::string_view text)
{
    std::string out;
    auto rest = text.substr(0, 1000);
    // Everything before the last @ may belong to a password that should have been encoded.
    if (auto const at = rest.rfind('@'); at != rest.npos) {
        auto const colon = rest.find("://");
        if (colon < at) out = std::string(rest.substr(0, colon + 3));
        out += "***";
        rest.remove_prefix(at);
    }
    auto const question = rest.find('?');
    out += rest.substr(0, question);
    // A misspelt key may be that of a token.
    for (auto from = question; from < rest.size();) {
        auto const next = std::min(rest.find('&', from + 1), rest.size());
        auto const pair = rest.substr(from, next - from);
        auto const equals = pair.find('=');
        out += pair.substr(0, equals);
        if (equals != pair.npos) out += "=***";
        from = next;
    }
    if (out.size() > 200) out.resize(200);
    for (char& c : out)
        if (c <= 0x20 || c >= 0x7f || c == '"') c = '?';
    return out;
}

inline void registry_url::refuse(std::string const& reason) const
{
    throw std::invalid_argument("weir: bad URL \"" + shown_ + "\": " + reason + ", as in " + form_.example);
}

inline registry_url registry_url::parse(std::string_view text, registry_url_form form)
{
    registry_url u;
    u.form_ = std::move(form);
    u.shown_ = shown_url(text);
    u.default_port_ = u.form_.port;
    if (text.size() > 8192) u.refuse("it must not be longer than 8192 characters");
    for (char const c : text)
        if (c <= 0x20 || c >= 0x7f)
            u.refuse("it must be visible ASCII without spaces; percent-encode the rest");
        else if (c == '\\' || c == '#')
            u.refuse("it must have no backslash and no #");
    auto const begins = [&](std::string const& with) { return text.starts_with(with + "://"); };
    if (begins(u.form_.scheme))
        u.scheme = u.form_.scheme, u.tls = u.form_.secure;
    else if (u.form_.http && begins("https"))
        u.scheme = "https", u.tls = true, u.default_port_ = 443;
    else if (u.form_.http && begins("http"))
        u.scheme = "http", u.default_port_ = 80;
    else
        u.refuse("it must start with " + u.form_.scheme + "://");
    u.read(text.substr(u.scheme.size() + 3));
    if (u.form_.http || u.form_.tls) u.read_tls();
    return u;
}

inline void registry_url::read_tls()
{
    if (flag("tls", tls)) tls = true;
    for (std::string const key : of_tls) {
        if (!has(key)) continue;
        if (!tls) refuse("the parameter " + key + (form_.http ? " needs https:// or tls=true" : " needs tls=true"));
        if (text(key).empty()) refuse("the parameter " + key + " must not be empty");
    }
    if (has("cert_file") != has("key_file")) refuse("the parameters cert_file and key_file must be given together");
}

inline registry_url_tls registry_url::tls_files() const
{
    return {text("ca_file"), text("cert_file"), text("key_file"), text("server_name")};
}

inline void registry_url::read(std::string_view rest)
{
    if (auto const question = rest.find('?'); question != rest.npos) {
        read_parameters(rest.substr(question + 1));
        rest = rest.substr(0, question);
    }
    auto const slash = rest.find('/');
    auto authority = rest.substr(0, slash);
    if (slash != rest.npos) path = decoded(rest.substr(slash), "the path");
    while (path.ends_with('/')) path.pop_back();

    if (auto const at = authority.rfind('@'); at != authority.npos) {
        read_user(authority.substr(0, at));
        authority.remove_prefix(at + 1);
    }
    if (form_.servers == registry_url_form::none) {
        if (!authority.empty()) refuse("it names no host: after :// there must be the path, starting with /");
        return;
    }
    if (authority.empty() && form_.servers == registry_url_form::optional) return;
    for (;;) {
        auto const comma = authority.find(',');
        read_server(authority.substr(0, comma));
        if (comma == authority.npos) return;
        if (servers.size() == 4096) refuse("it must name no more than 4096 hosts");
        authority.remove_prefix(comma + 1);
    }
}

inline void registry_url::read_user(std::string_view text)
{
    if (!form_.user) refuse("it must carry no user name or password");
    auto const colon = text.find(':');
    user = decoded(text.substr(0, colon), "the user name");
    if (colon != text.npos) password = secret(decoded(text.substr(colon + 1), "the password"));
    if (user.empty()) refuse("before the @ there must be a user name");
}

inline void registry_url::read_server(std::string_view text)
{
    auto const only = [](std::string_view s, std::string_view extra) {
        return !s.empty() && std::all_of(s.begin(), s.end(), [&](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                   extra.find(c) != extra.npos;
        });
    };
    endpoint e;
    bool v6 = false;
    if (text.starts_with('[')) {
        auto const close = text.find(']');
        if (close == text.npos) refuse("the IPv6 address must be closed with ]");
        e.host = text.substr(1, close - 1);
        v6 = true;
        if (!only(e.host, ":.") || e.host.find(':') == e.host.npos)
            refuse("between [ and ] there must be an IPv6 address");
        text.remove_prefix(close + 1);
        if (!text.empty() && text.front() != ':') refuse("after ] there must be a port, a comma or a path");
    } else {
        e.host = text.substr(0, text.find(':'));
        text.remove_prefix(e.host.size());
        if (!only(e.host, ".-_"))
            refuse(servers.empty() ? "the host must be a name or an address, IPv6 in brackets"
                                   : "after a comma there must be another host");
    }
    if (text.empty() && default_port_ == 0) refuse("each host needs a port");
    e.port = default_port_;
    if (!text.empty()) {
        text.remove_prefix(1);
        unsigned port = 0;
        auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
        if (error != std::errc{} || end != text.data() + text.size() || port < 1 || port > 65535)
            refuse("the port must be a number from 1 to 65535");
        e.port = static_cast<std::uint16_t>(port);
    }
    e.id = (v6 ? '[' + e.host + ']' : e.host) + ':' + std::to_string(e.port);
    servers.push_back(std::move(e));
}

inline void registry_url::read_parameters(std::string_view text)
{
    while (!text.empty()) {
        auto const pair = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(pair.size() + 1, text.size()));
        auto const equals = pair.find('=');
        auto key = decoded(pair.substr(0, equals), "a parameter's name");
        if (equals == pair.npos || key.empty()) refuse("after the ? there must be pairs key=value");
        auto names = form_.parameters;
        if (form_.http || form_.tls) {
            names.emplace_back("tls");
            names.insert(names.end(), of_tls.begin(), of_tls.end());
        }
        if (std::find(names.begin(), names.end(), key) == names.end()) {
            std::string all;
            for (auto const& n : names) all += (all.empty() ? "" : ", ") + n;
            refuse("there is no parameter \"" + shown_url(key) + "\"; " +
                   (all.empty() ? "it knows none" : "it knows " + all));
        }
        if (has(key)) refuse("the parameter " + key + " must be given once");
        parameters_[key] = decoded(pair.substr(equals + 1), "a parameter's value");
    }
}

inline std::string registry_url::decoded(std::string_view text, char const* what) const
{
    auto const digit = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    std::string out;
    for (std::size_t n = 0; n < text.size(); ++n) {
        char c = text[n];
        if (c == '%') {
            if (n + 2 >= text.size() || digit(text[n + 1]) < 0 || digit(text[n + 2]) < 0)
                refuse(std::string(what) + " has a % without two hexadecimal digits");
            c = static_cast<char>(digit(text[n + 1]) * 16 + digit(text[n + 2]));
            n += 2;
        }
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) refuse(std::string(what) + " has a control character");
        out += c;
    }
    return out;
}

inline std::string registry_url::text(std::string const& key, std::string otherwise) const
{
    auto const found = parameters_.find(key);
    return found == parameters_.end() ? std::move(otherwise) : found->second;
}

inline bool registry_url::flag(std::string const& key, bool otherwise) const
{
    if (!has(key)) return otherwise;
    auto const t = text(key);
    if (t != "true" && t != "false") refuse("the parameter " + key + " must be true or false");
    return t == "true";
}

inline std::uint64_t registry_url::number(std::string const& key, std::uint64_t otherwise, std::uint64_t most) const
{
    if (!has(key)) return otherwise;
    auto const t = text(key);
    std::uint64_t n = 0;
    auto const [end, error] = std::from_chars(t.data(), t.data() + t.size(), n);
    if (error != std::errc{} || end != t.data() + t.size() || n > most)
        refuse("the parameter " + key + " must be a number from 0 to " + std::to_string(most));
    return n;
}

inline duration registry_url::span(std::string const& key, duration otherwise) const
{
    if (!has(key)) return otherwise;
    auto const t = text(key);
    std::int64_t n = 0;
    auto const [end, error] = std::from_chars(t.data(), t.data() + t.size(), n);
    std::string_view const unit(end, static_cast<std::size_t>(t.data() + t.size() - end));
    // A week is more than anything here waits.
    auto const good = error == std::errc{} && n >= 0 && n <= 604'800'000;
    if (good && unit == "ms") return std::chrono::milliseconds(n);
    if (good && unit == "s" && n <= 604'800) return std::chrono::seconds(n);
    if (good && unit == "m" && n <= 10'080) return std::chrono::minutes(n);
    if (good && unit == "h" && n <= 168) return std::chrono::hours(n);
    refuse("the parameter " + key + " must be a time of at most a week with its unit: ms, s, m or h, like 10s");
}

}  // namespace weir::registry::detail
