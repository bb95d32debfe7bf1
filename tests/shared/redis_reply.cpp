// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/shared/redis_reply.hpp>

#include <weir/shared/detail/redis_reader.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

using weir::redis_reply;
using weir::detail::redis_reader;

namespace {

// The replies in these bytes, fed in pieces of that size; empty when they are refused.
std::optional<std::vector<redis_reply>> read(std::string const& bytes, std::size_t piece, std::size_t max = 4096)
{
    redis_reader reader(max);
    std::vector<redis_reply> all;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        if (!reader.feed(std::string_view(bytes).substr(at, piece))) return std::nullopt;
        for (;;) {
            std::optional<redis_reply> one;
            if (reader.next(one)) return std::nullopt;
            if (!one) break;
            all.push_back(*std::move(one));
        }
    }
    return all;
}

std::string repeated(std::string const& s, int n)
{
    std::string all;
    for (int i = 0; i < n; ++i) all += s;
    return all;
}

}  // namespace

TEST_CASE("redis_reply: every kind of reply, however it is cut")
{
    std::string const bytes =
        "+PONG\r\n:-42\r\n$1\r\nv\r\n$-1\r\n-NOSCRIPT No matching script.\r\n*3\r\n:7\r\n:0\r\n$0\r\n\r\n";
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
        auto const all = read(bytes, piece);
        REQUIRE(all);
        REQUIRE(all->size() == 6);
        CHECK((*all)[0].value().text() == "PONG");
        CHECK((*all)[1].value().integer() == -42);
        CHECK((*all)[2].value().text() == "v");
        CHECK((*all)[3].value().is_nil());
        CHECK((*all)[4].value().is_error());
        CHECK((*all)[4].value().text().starts_with("NOSCRIPT"));
        CHECK_FALSE((*all)[4].value().is_text());
        REQUIRE((*all)[5].value().size() == 3);
        CHECK((*all)[5].value()[0].integer() == 7);
        CHECK((*all)[5].value()[2].is_text());
    }
}

TEST_CASE("redis_reply: what is no reply, too large, too long or too deep is refused before memory is spent on it")
{
    CHECK_FALSE(read("HTTP/1.1 400 Bad Request\r\n", 100));
    CHECK_FALSE(read("*1000000000\r\n", 100));
    CHECK_FALSE(read("*1025\r\n", 100));
    CHECK(read("*1024\r\n", 100));
    CHECK_FALSE(read("$100000\r\n" + std::string(5000, 'x'), 1000));
    CHECK_FALSE(read(std::string(10'000, '+'), 1000));
    CHECK_FALSE(read(repeated("*1\r\n", 20), 100));
    CHECK(read(repeated("+OK\r\n", 10'000), 1000)->size() == 10'000);  // many small ones are not a large one
    CHECK(read(repeated("$900\r\n" + std::string(900, 'x') + "\r\n", 50), 2000)->size() == 50);
}

TEST_CASE("redis_command: words of any bytes")
{
    CHECK(weir::redis_command({"SET", std::string_view("a\r\n\0b", 5), ""}) ==
          std::string("*3\r\n$3\r\nSET\r\n$5\r\na\r\n\0b\r\n$0\r\n\r\n", 30));
}
