// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/shared/redis_store.hpp>

#include "shared/fake_redis.hpp"

#include <weir/shared/shared_limit.hpp>

#include <doctest/doctest.h>

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using boost::system::error_code;
using weir::permit_grant;
using weir::redis_store;
using weir::store_errc;
namespace asio = boost::asio;

static_assert(weir::limit_store<redis_store>);

namespace {

struct fixture {
    asio::io_context io{1};
    fake_redis server{io};
    redis_store store{io.get_executor(), {.servers = {{.port = server.port()}}, .timeout = 5s}};

    std::optional<error_code> how;
    permit_grant got;

    error_code ask()
    {
        how.reset();
        store.async_acquire(
            {.key = "orders", .interval = 1500us, .tolerance = 15ms, .want = 8, .least = 2, .share = 0.5, .hold = 50ms},
            [this](error_code ec, permit_grant g) {
                how = ec;
                got = g;
            });
        return wait();
    }
    error_code wait()
    {
        auto const limit = std::chrono::steady_clock::now() + 10s;
        while (!how && std::chrono::steady_clock::now() < limit) io.run_one_for(10ms);
        REQUIRE(how);
        return *how;
    }
};

}  // namespace

TEST_CASE("redis_store: the script is known to Redis by this")
{
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
    auto const text = weir::detail::redis_script;
    SHA1(reinterpret_cast<unsigned char const*>(text.data()), text.size(), digest.data());
    std::string hex;
    for (auto const b : digest) {
        hex += "0123456789abcdef"[b >> 4];
        hex += "0123456789abcdef"[b & 15];
    }
    CHECK(hex == weir::detail::redis_script_sha1);
}

TEST_CASE("redis_store: a question is one EVALSHA of one key, and its answer three numbers")
{
    fixture f;
    f.server.answer = [](auto const&) { return "*3\r\n:4\r\n:0\r\n:91352676502346\r\n"; };
    CHECK(f.ask() == error_code());
    CHECK(f.got.permits == 4);
    CHECK(f.got.stamp == 91352676502346);
    CHECK(f.server.seen[0] ==
          "EVALSHA " + std::string(weir::detail::redis_script_sha1) + " 1 weir:orders 1500 15000 8 2 0.5 50000");
    f.server.answer = [](auto const&) { return "*3\r\n:0\r\n:2500\r\n:0\r\n"; };
    CHECK(f.ask() == error_code());
    CHECK(f.got.permits == 0);
    CHECK(f.got.retry_after == 2500us);

    f.how.reset();
    f.server.answer = [](auto const&) { return ":1\r\n"; };
    f.store.async_give_back({.key = "orders", .interval = 1500us, .permits = 3, .stamp = 77},
                            [&](error_code ec) { f.how = ec; });
    CHECK(f.wait() == error_code());
    CHECK(f.server.seen.back() ==
          "EVALSHA " + std::string(weir::detail::redis_script_sha1) + " 1 weir:orders 1500 3 77");
}

TEST_CASE("redis_store: where the script is not known it is loaded, and the question asked again, once")
{
    fixture f;
    bool known = false;
    f.server.answer = [&](std::string const& c) -> std::optional<std::string> {
        if (c.starts_with("SCRIPT LOAD")) {
            known = true;
            return "$40\r\n" + std::string(weir::detail::redis_script_sha1) + "\r\n";
        }
        return known ? "*3\r\n:1\r\n:0\r\n:5\r\n" : "-NOSCRIPT No matching script. Please use EVAL.\r\n";
    };
    CHECK(f.ask() == error_code());
    CHECK(f.got.permits == 1);
    CHECK(f.server.seen.size() == 3);
    f.server.answer = [](auto const&) { return "-NOSCRIPT No matching script. Please use EVAL.\r\n"; };
    CHECK(f.ask() == error_code(std::error_code(store_errc::refused)));
    CHECK(f.server.seen.size() == 6);
}

TEST_CASE("redis_store: errors that pass are told from those that do not; the text is kept, fit for a log")
{
    for (std::string const text : {"LOADING Redis is loading the dataset in memory", "BUSY Redis is busy", "OOM x",
                                   "MASTERDOWN x", "CLUSTERDOWN x"}) {
        fixture f;
        f.server.answer = [&](auto const&) { return "-" + text + "\r\n"; };
        CHECK(f.ask() == error_code(std::error_code(store_errc::unavailable)));
        CHECK(f.store.last_error() == text);
    }
    for (std::string const text : {"MOVED 3999 127.0.0.1:6381", "NOAUTH Authentication required.", "NOPERM x",
                                   "WRONGTYPE this key is not a limit of weir", "ERR \x1b[31m"}) {
        fixture f;
        f.server.answer = [&](auto const&) { return "-" + text + "\r\n"; };
        CHECK(f.ask() == error_code(std::error_code(store_errc::refused)));
        CHECK(f.store.last_error().find('\x1b') == std::string::npos);
    }
}

TEST_CASE("redis_store: an answer of another shape, or of more than was asked for, is not believed")
{
    for (std::string const bytes :
         {"+OK\r\n", ":3\r\n", "$-1\r\n", "*2\r\n:1\r\n:0\r\n", "*3\r\n:1\r\n:0\r\n$1\r\n5\r\n",
          "*3\r\n:-1\r\n:0\r\n:0\r\n", "*3\r\n:9\r\n:0\r\n:0\r\n", "*3\r\n:1\r\n:-5\r\n:0\r\n",
          "*3\r\n:1\r\n:0\r\n:-9\r\n"}) {
        fixture f;
        f.server.answer = [&](auto const&) { return bytes; };
        CAPTURE(bytes);
        CHECK(f.ask() == error_code(std::error_code(store_errc::bad_answer)));
    }
}

TEST_CASE("redis_store: keys spread over the servers, whatever the order of the list; without one, only its keys move")
{
    asio::io_context io;
    std::vector<weir::redis_server> three{{.host = "10.0.0.1"}, {.host = "10.0.0.2"}, {.host = "10.0.0.3"}};
    std::vector<weir::redis_server> turned{{.host = "10.0.0.3"}, {.host = "10.0.0.1"}, {.host = "10.0.0.2"}};
    std::vector<weir::redis_server> two{{.host = "10.0.0.1"}, {.host = "10.0.0.2"}};
    redis_store a(io.get_executor(), {.servers = three});
    redis_store b(io.get_executor(), {.servers = turned});
    redis_store c(io.get_executor(), {.servers = two});
    std::array<int, 3> count{};
    for (int i = 0; i < 3000; ++i) {
        auto const key = "key-" + std::to_string(i);
        auto const at = a.shard_of(key);
        ++count[at];
        CHECK(three[at] == turned[b.shard_of(key)]);
        if (at != 2) CHECK(c.shard_of(key) == at);
    }
    for (auto const n : count) {
        CHECK(n > 900);
        CHECK(n < 1100);
    }
    CHECK(a.shards() == 3);
}
