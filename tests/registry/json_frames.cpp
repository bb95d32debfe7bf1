// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/detail/json_frames.hpp>

#include <doctest/doctest.h>

#include <boost/json/serialize.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace json = boost::json;
using weir::registry::detail::json_frames;

namespace {

// What comes out when `stream` comes in pieces of `size` bytes.
std::vector<std::string> cut(json_frames& frames, std::string_view stream, std::size_t size)
{
    std::vector<std::string> out;
    while (!stream.empty()) {
        auto piece = stream.substr(0, size);
        stream.remove_prefix(piece.size());
        while (auto const f = frames.next(piece)) out.push_back(json::serialize(*f));
        CHECK(piece.empty());
    }
    return out;
}

}  // namespace

TEST_CASE("json_frames: the same objects come out wherever the stream was cut into pieces")
{
    std::string_view const stream =
        "{\"result\":{\"a\":[1,-2.5,1e3,\"\\u00e9\\\"}{\"]}}\n{}{\"b\":null}\r\n\t {\"c\":{\"d\":[{},[]]},\"e\":true}";
    for (std::size_t size = 1; size <= stream.size(); ++size) {
        CAPTURE(size);
        json_frames frames;
        auto const out = cut(frames, stream, size);
        REQUIRE(out.size() == 4);
        CHECK(out[0] == "{\"result\":{\"a\":[1,-2.5E0,1E3,\"\xc3\xa9\\\"}{\"]}}");
        CHECK(out[1] == "{}");
        CHECK(out[2] == "{\"b\":null}");
        CHECK(out[3] == "{\"c\":{\"d\":[{},[]]},\"e\":true}");
        CHECK(frames.why() == "");
        CHECK_FALSE(frames.within());
    }
}

TEST_CASE("json_frames: a stream that stops within an object says so, and gives nothing of it")
{
    json_frames frames;
    CHECK(cut(frames, "{\"a\":1}{\"b\":[1,", 3).size() == 1);
    CHECK(frames.within());
    CHECK(frames.why() == "");
    CHECK(cut(frames, "2]}", 1) == std::vector<std::string>{"{\"b\":[1,2]}"});
}

TEST_CASE("json_frames: what is not a strict object is refused with a reason, and so is everything after it")
{
    struct bad {
        char const* stream;
        char const* why;
    };
    for (auto const& b : {
             bad{"<html>", "a frame is not a JSON object"},
             bad{"[{}]", "a frame is not a JSON object"},
             bad{"{\"a\":1}7", "a frame is not a JSON object"},
             bad{"{\"a\":1,\"a\":2}", "the key \"a\" appears twice in one object"},
             bad{"{\"a\":1e400}", "a number is too large"},
             bad{"{\"a\":01}", "bad JSON at byte"},
             bad{"{'a':1}", "bad JSON at byte"},
             bad{"{\"a\":\"\xff\"}", "bad JSON at byte"},
         }) {
        for (std::size_t const size : {1u, 2u, 100u}) {
            CAPTURE(b.stream);
            json_frames frames;
            (void)cut(frames, b.stream, size);
            CHECK(frames.why().find(b.why) != std::string::npos);
            CHECK(cut(frames, "{}", 100).empty());
            CHECK(frames.why().find(b.why) != std::string::npos);
        }
    }
}

TEST_CASE("json_frames: size and depth of one frame are bounded, the length of the stream is not")
{
    std::string const exact = "{\"a\":\"" + std::string(92, 'x') + "\"}";
    REQUIRE(exact.size() == 100);
    for (std::size_t const size : {1u, 7u, 100u, 1000u}) {
        CAPTURE(size);
        json_frames fits({.max_bytes = 100});
        CHECK(cut(fits, exact + exact + "\n" + exact, size).size() == 3);
        json_frames small({.max_bytes = 99});
        CHECK(cut(small, exact, size).empty());
        CHECK(small.why() == "a frame is over 99 bytes");
    }
    std::string deep = "{\"a\":";
    for (int n = 0; n < 40; ++n) deep += '[';
    json_frames frames;
    CHECK(cut(frames, deep, 1000).empty());
    CHECK(frames.why().find("bad JSON at byte") == 0);
}
