// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/http/url.hpp>

#include <doctest/doctest.h>

using weir::http::url;

TEST_CASE("url: host, port and base path are read as written")
{
    CHECK(url::parse("http://127.0.0.1:8500") == url{false, "127.0.0.1", 8500, ""});
    CHECK(url::parse("https://consul.example") == url{true, "consul.example", 443, ""});
    CHECK(url::parse("http://a_b-c.d/") == url{false, "a_b-c.d", 80, ""});
    CHECK(url::parse("http://a:65535/base/path//") == url{false, "a", 65535, "/base/path"});
    CHECK(url::parse("http://[::1]:80/x") == url{false, "::1", 80, "/x"});
    CHECK(url::parse("http://[fe80::1]") == url{false, "fe80::1", 80, ""});
}

TEST_CASE("url: what cannot be used is refused with what was wrong and what would be right")
{
    struct row {
        std::string_view text, reason;
    };
    for (auto const& [text, reason] : {row{"", "http://"}, row{"127.0.0.1:80", "must start with http://"},
                                       row{"ftp://a", "must start with http://"}, row{"HTTP://a", "must start with"},
                                       row{"http://", "the host"}, row{"http:///x", "the host"},
                                       row{"http://:80", "the host"}, row{"http://a b", "spaces"},
                                       row{"http://a\r\nX: y", "visible ASCII"}, row{"http://a\xff", "visible ASCII"},
                                       row{"http://user:pw@a", "user name"}, row{"http://a?x", "no query"},
                                       row{"http://a/#x", "no fragment"}, row{"http://a:0", "1 to 65535"},
                                       row{"http://a:65536", "1 to 65535"}, row{"http://a:", "1 to 65535"},
                                       row{"http://a:8x", "1 to 65535"}, row{"http://a:-1", "1 to 65535"},
                                       row{"http://a:80:80", "1 to 65535"}, row{"http://::1", "IPv6 in brackets"},
                                       row{"http://[::1", "closed"}, row{"http://[]", "an IPv6 address"},
                                       row{"http://[a.b]", "an IPv6 address"}, row{"http://[::1]80", "after ]"},
                                       row{"http://a\\b", "backslash"}, row{"http://a%41", "the host"}}) {
        std::string why;
        CAPTURE(text);
        CHECK_FALSE(url::try_parse(text, &why));
        CHECK(why.find(reason) != std::string::npos);
        CHECK(why.find("as in http://127.0.0.1:8500") != std::string::npos);
        CHECK(why.find('\n') == std::string::npos);
        CHECK_THROWS_AS((void)url::parse(text), std::invalid_argument);
    }
}
