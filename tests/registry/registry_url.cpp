// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/detail/registry_url.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
using weir::registry::detail::registry_url;
using weir::registry::detail::registry_url_form;
using weir::registry::detail::shown_url;

namespace {

registry_url_form form()
{
    return {.scheme = "demo",
            .example = "demo://127.0.0.1:1234",
            .port = 1234,
            .parameters = {"token", "dc", "wait", "deep", "limit"},
            .user = true};
}

std::string refusal(std::string_view text, registry_url_form f = form())
{
    try {
        (void)registry_url::parse(text, std::move(f));
    } catch (std::invalid_argument const& e) {
        return e.what();
    }
    return "taken";
}

}  // namespace

TEST_CASE("registry_url: every part is read, decoded, and has its default")
{
    auto const u = registry_url::parse(
        "demo://us%65r:p%40ss%2F@a,b.example:99,[::1],[fe80::1]:7/base%20x/y//?token=t%26u&dc=&wait=250ms&deep=true",
        form());
    CHECK(u.scheme == "demo");
    CHECK_FALSE(u.tls);
    CHECK(u.user == "user");
    CHECK(u.password.reveal() == "p@ss/");
    std::string servers;
    for (auto const& s : u.servers) servers += s.host + "|" + std::to_string(s.port) + "|" + s.id + " ";
    CHECK(servers == "a|1234|a:1234 b.example|99|b.example:99 ::1|1234|[::1]:1234 fe80::1|7|[fe80::1]:7 ");
    CHECK(u.path == "/base x/y");
    CHECK(u.hidden("token").reveal() == "t&u");
    CHECK(u.has("dc"));
    CHECK(u.text("dc", "x").empty());
    CHECK(u.span("wait", 1s) == 250ms);
    CHECK(u.flag("deep", false));
    CHECK(u.number("limit", 7) == 7);
    CHECK_FALSE(u.has("limit"));

    auto const least = registry_url::parse("demo://a", form());
    CHECK(least.servers.size() == 1);
    CHECK(least.user.empty());
    CHECK(least.password.empty());
    CHECK(least.path.empty());
    CHECK(least.text("dc", "here") == "here");
    CHECK(least.span("wait", 3s) == 3s);

    CHECK(registry_url::parse("https://a", form()).tls);
    CHECK(registry_url::parse("https://a", form()).servers[0].port == 443);
    CHECK(registry_url::parse("http://a/x", form()).servers[0].port == 80);
    CHECK(registry_url::parse("demo://a?tls=true", form()).tls);
    CHECK(registry_url::parse("demo://a?tls=true", form()).servers[0].port == 1234);

    auto const over_tls = registry_url::parse("https://a?ca_file=/ca&cert_file=/c&key_file=/k&server_name=b", form());
    CHECK(over_tls.tls_files().ca_file == "/ca");
    CHECK(over_tls.tls_files().cert_file == "/c");
    CHECK(over_tls.tls_files().key_file == "/k");
    CHECK(over_tls.tls_files().server_name == "b");
    CHECK_FALSE(registry_url::parse("https://a", form()).tls_files().any());
    registry_url_form const secure{.scheme = "s", .example = "s://a", .port = 1, .secure = true};
    CHECK(registry_url::parse("s://a?ca_file=/ca", secure).tls);
    CHECK_FALSE(registry_url::parse("http://a", secure).tls);

    registry_url_form const file{
        .scheme = "file", .example = "file:///etc/x.json", .servers = registry_url_form::none, .http = false};
    CHECK(registry_url::parse("file:///etc/x%3F.json", file).path == "/etc/x?.json");
    registry_url_form const cluster{
        .scheme = "k", .example = "k:///default", .port = 443, .servers = registry_url_form::optional};
    CHECK(registry_url::parse("k:///default", cluster).servers.empty());
    CHECK(registry_url::parse("k://a/default", cluster).servers.size() == 1);
    for (auto const& [given, means] :
         {std::pair{"0s", 0ms}, std::pair{"5m", 300'000ms}, std::pair{"168h", 604'800'000ms}})
        CHECK(registry_url::parse(std::string("demo://a?wait=") + given, form()).span("wait", 1s) == means);
}

TEST_CASE("registry_url: what cannot be used is refused with what was wrong and what would be right")
{
    struct row {
        std::string_view text, reason;
    };
    for (auto const& [text, reason] :
         {row{"", "it must start with demo://"},
          row{"a:80", "it must start with demo://"},
          row{"ftp://a", "it must start with demo://"},
          row{"DEMO://a", "it must start with demo://"},
          row{"demo:/a", "it must start with demo://"},
          row{"demo://", "the host"},
          row{"demo:///x", "the host"},
          row{"demo://:80", "the host"},
          row{"demo://a b", "spaces"},
          row{"demo://a\r\nX: y", "visible ASCII"},
          row{"demo://a\xff", "visible ASCII"},
          row{"demo://a/\\", "no backslash"},
          row{"demo://a/#x", "no #"},
          row{"demo://a,", "after a comma there must be another host"},
          row{"demo://,a", "the host"},
          row{"demo://a,,b", "after a comma"},
          row{"demo://a:0", "from 1 to 65535"},
          row{"demo://a:65536", "from 1 to 65535"},
          row{"demo://a:", "from 1 to 65535"},
          row{"demo://a:8x,b", "from 1 to 65535"},
          row{"demo://a:-1", "from 1 to 65535"},
          row{"demo://::1", "IPv6 in brackets"},
          row{"demo://[::1", "closed with ]"},
          row{"demo://[]", "an IPv6 address"},
          row{"demo://[a.b]", "an IPv6 address"},
          row{"demo://[::1]80", "after ]"},
          row{"demo://a%41", "the host"},
          row{"demo://@a", "a user name"},
          row{"demo://:pw@a", "a user name"},
          row{"demo://u:%4@a", "the password has a % without two"},
          row{"demo://u:%0a@a", "has a control character"},
          row{"demo://a/%", "the path has a %"},
          row{"demo://a/%00", "the path has a control character"},
          row{"demo://a?x=1",
              "there is no parameter \"x\"; it knows token, dc, wait, deep, limit, tls, ca_file, cert_file, "
              "key_file, server_name"},
          row{"demo://a?dc", "pairs key=value"},
          row{"demo://a?=1", "pairs key=value"},
          row{"demo://a?dc=1&&wait=1s", "pairs key=value"},
          row{"demo://a?dc=1&d%63=2", "dc must be given once"},
          row{"demo://a?dc=%zz", "a parameter's value has a %"},
          row{"demo://a?ca_file=/x", "the parameter ca_file needs https:// or tls=true"},
          row{"http://a?server_name=b", "the parameter server_name needs https:// or tls=true"},
          row{"https://a?ca_file=", "the parameter ca_file must not be empty"},
          row{"https://a?key_file=/k", "cert_file and key_file must be given together"},
          row{"demo://a?tls=yes", "tls must be true or false"}}) {
        CAPTURE(text);
        auto const why = refusal(text);
        CAPTURE(why);
        CHECK(why.find(reason) != std::string::npos);
        CHECK(why.starts_with("weir: bad URL \""));
        CHECK(why.ends_with(", as in demo://127.0.0.1:1234"));
        CHECK(why.find('\n') == std::string::npos);
    }
    auto const u = registry_url::parse("demo://a?wait=10&deep=1&limit=11&dc=-1", form());
    CHECK_THROWS_WITH_AS((void)u.span("wait", 1s), doctest::Contains("a time of at most a week with its unit"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS((void)u.flag("deep", true), doctest::Contains("true or false"), std::invalid_argument);
    CHECK_THROWS_WITH_AS((void)u.number("limit", 1, 10), doctest::Contains("from 0 to 10"), std::invalid_argument);
    CHECK_THROWS_AS((void)u.number("dc", 1), std::invalid_argument);
    for (auto const* bad : {"-1s", "1.5s", "s", "1s ", "1us", "9999999999h", "169h"}) {
        CAPTURE(bad);
        auto const v = registry_url::parse(
            "demo://a?wait=" + std::string(std::string_view(bad).ends_with(' ') ? "1s%20" : bad), form());
        CHECK_THROWS_AS((void)v.span("wait", 1s), std::invalid_argument);
    }
    CHECK(refusal("demo://a/" + std::string(9000, 'x')).find("longer than 8192") != std::string::npos);

    auto f = form();
    f.user = false, f.http = false, f.port = 0;
    CHECK(refusal("demo://u@a:1", f).find("must carry no user name or password") != std::string::npos);
    CHECK(refusal("https://a:1", f).find("must start with demo://") != std::string::npos);
    CHECK(refusal("demo://a", f).find("each host needs a port") != std::string::npos);
    CHECK(refusal("demo://a:1?tls=true", f).find("no parameter \"tls\"") != std::string::npos);
    f.servers = registry_url_form::none;
    CHECK(refusal("demo://a/x", f).find("names no host") != std::string::npos);
}

TEST_CASE("registry_url: no refusal quotes a password or a token, wherever the mistake is")
{
    for (auto const* text :
         {"demo://u:canary@a:x", "demo://u:canary/x@a", "x://u:canary@a", "demo://canary@a b",
          "demo://a:x?token=canary", "demo://a?to%6ben=canary&token=canary", "demo://a?Token=canary",
          "demo://a?access_key=canary", "demo://a?tokn=canary", "demo://u:ca@nary@a?tls=canary@x",
          "demo://u:canary@a?x=1", "u:canary@a", "demo://a?password=canary\n", "demo://u:canary%@a"}) {
        CAPTURE(text);
        CHECK(refusal(text) != "taken");
        CHECK(refusal(text).find("canary") == std::string::npos);
        CHECK(refusal(text).find("nary") == std::string::npos);
    }
    CHECK(shown_url("demo://u:p@a:1/x?dc=1&token=t") == "demo://***@a:1/x?dc=***&token=***");
    CHECK(shown_url("demo://a/x?dc=1&y") == "demo://a/x?dc=***&y");
    CHECK(shown_url("a\"b\n") == "a?b?");
}
