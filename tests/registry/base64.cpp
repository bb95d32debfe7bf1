// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/detail/base64.hpp>

#include <doctest/doctest.h>

#include <string>

using weir::registry::detail::from_base64;
using weir::registry::detail::to_base64;

TEST_CASE("base64: the vectors of RFC 4648, there and back, and every byte")
{
    std::string const pairs[][2] = {{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="},
                                    {"fooba", "Zm9vYmE="},
                                    {"foobar", "Zm9vYmFy"}};
    for (auto const& [bytes, text] : pairs) {
        CHECK(to_base64(bytes) == text);
        CHECK(from_base64(text) == bytes);
    }
    std::string all;
    for (int c = 0; c < 256; ++c) {
        all += static_cast<char>(c);
        CHECK(from_base64(to_base64(all)) == all);
    }
}

TEST_CASE("base64: only what the encoder writes is read")
{
    for (auto const* text : {"Z", "Zg", "Zg=", "Zg===", "====", "=", "Zh==", "Zm9=", "Zg==Zg==", "Z=g=", "Zm9v\n",
                             "Zm 9v", "Zm9-", "Zm9_", "A===", "\xff\xff\xff\xff"}) {
        CAPTURE(text);
        CHECK_FALSE(from_base64(text));
    }
}
