// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/ip_key.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <arpa/inet.h>

using weir::ip_key;

static_assert(std::is_trivially_copyable_v<ip_key> && sizeof(ip_key) == 8);
static_assert(std::has_unique_object_representations_v<ip_key>);
static_assert(ip_key::parse("192.0.2.1") == ip_key::v4({192, 0, 2, 1}));

namespace {

ip_key key(std::string_view text, unsigned prefix = 64)
{
    auto const k = ip_key::parse(text, prefix);
    CAPTURE(text);
    REQUIRE(k);
    return *k;
}

}  // namespace

TEST_CASE("ip_key: IPv4 addresses are keys of their own")
{
    CHECK(key("192.0.2.1") == ip_key::v4({192, 0, 2, 1}));
    CHECK(key("192.0.2.1") != key("192.0.2.2"));
    CHECK(key("0.0.0.0") == ip_key{});
    CHECK(key("255.255.255.255").is_v4());
}

TEST_CASE("ip_key: IPv6 addresses of one /64 are one key, and of two are two")
{
    CHECK(key("2001:db8::1") == key("2001:db8::ffff:ffff:ffff:ffff"));
    CHECK(key("2001:db8::1") == key("2001:0DB8:0:0::"));
    CHECK(key("2001:db8::1") != key("2001:db8:0:1::1"));
    CHECK(key("fe80::1%eth0") == key("fe80::1"));
    CHECK_FALSE(key("2001:db8::1").is_v4());
    CHECK_FALSE(key("::").is_v4());
}

TEST_CASE("ip_key: a shorter prefix joins more")
{
    CHECK(key("2001:db8:1:2ff::", 56) == key("2001:db8:1:200::", 56));
    CHECK(key("2001:db8:1:2ff::", 56) != key("2001:db8:1:300::", 56));
    CHECK(key("2001:db8:1:2ff::", 48) == key("2001:db8:1:300::", 48));
    CHECK(key("2001:db8::", 0) == key("fe80::", 0));
    CHECK(key("2001:db8::1", 128) == key("2001:db8::2", 128));  // never more than 64
    CHECK(key("192.0.2.1", 0) != key("192.0.2.2", 0));
}

TEST_CASE("ip_key: IPv4 written as IPv6 is the IPv4 client")
{
    CHECK(key("::ffff:192.0.2.1") == key("192.0.2.1"));
    CHECK(key("::ffff:c000:201") == key("192.0.2.1"));
    CHECK(key("0:0:0:0:0:ffff:192.0.2.1") == key("192.0.2.1"));
    CHECK(key("64:ff9b::192.0.2.1") == key("192.0.2.1"));
    CHECK(key("64:ff9b:0:1::192.0.2.1") != key("192.0.2.1"));
    CHECK(key("::1") == key("::192.0.2.1"));  // the long-abandoned "compatible" form is not IPv4
}

TEST_CASE("ip_key: bytes in network order")
{
    std::array<std::uint8_t, 16> const v6{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9};
    CHECK(ip_key::v6(v6) == key("2001:db8:0:1::"));
    CHECK(ip_key::from_bytes(v6) == key("2001:db8:0:1::"));
    CHECK(ip_key::from_bytes(v6, 48) == key("2001:db8::"));
    CHECK(ip_key::from_bytes(std::array<std::uint8_t, 4>{10, 0, 0, 1}) == key("10.0.0.1"));
    CHECK_FALSE(ip_key::from_bytes(std::array<std::uint8_t, 5>{}));
    CHECK_FALSE(ip_key::from_bytes({}));
}

TEST_CASE("ip_key: what is not an address is nothing")
{
    for (std::string_view const text :
         {"",          " ",           "1",         "1.2.3",  "1.2.3.4.5", "1.2.3.256",        "1.2.3.04",
          "01.2.3.4",  "1.2.3.4 ",    " 1.2.3.4",  "1..2.3", ".1.2.3",    "1.2.3.",           "1.2.3.4:80",
          "0x1.2.3.4", "1.2.3.-4",    ":",         ":::",    "1:2",       "1:2:3:4:5:6:7",    "1:2:3:4:5:6:7:8:9",
          "1::2::3",   "12345::",     "g::",       "::1:",   ":1::",      "1:2:3:4:5:6:7::8", "1:2:3:4:5:6:7:1.2.3.4",
          "::1.2.3",   "::1.2.3.4:5", "[::1]",     "::1%",   "%eth0",     "::ffff:1.2.3.400", "1:2:3:4:5:6:7:8::",
          "1:",        "::-1",        "fe80::1/64"}) {
        CAPTURE(text);
        CHECK_FALSE(ip_key::parse(text));
    }
}

TEST_CASE("ip_key: reads what inet_pton reads, of random text that is nearly an address")
{
    std::mt19937_64 random{3};
    std::string_view const alphabet = "0123456789abcdefF:::::....12.34::ffff";
    std::vector<std::string> const seeds{
        "2001:db8::1", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8", "10.20.30.40", "::", "1::8"};
    int addresses = 0;
    for (int i = 0; i < 200'000; ++i) {
        auto text = seeds[random() % seeds.size()];
        for (auto changes = random() % 4; changes > 0; --changes) {
            auto const at = random() % (text.size() + 1);
            auto const c = alphabet[random() % alphabet.size()];
            if (random() % 3 == 0 && at < text.size())
                text.erase(at, 1);
            else if (random() % 2 == 0 || at == text.size())
                text.insert(at, 1, c);
            else
                text[at] = c;
        }
        std::array<std::uint8_t, 16> six{};
        std::array<std::uint8_t, 4> four{};
        std::optional<ip_key> expected;
        if (inet_pton(AF_INET6, text.c_str(), six.data()) == 1)
            expected = ip_key::v6(six);
        else if (inet_pton(AF_INET, text.c_str(), four.data()) == 1)
            expected = ip_key::v4(four);
        addresses += expected ? 1 : 0;
        CAPTURE(text);
        REQUIRE(ip_key::parse(text) == expected);
    }
    CHECK(addresses > 50'000);
}
