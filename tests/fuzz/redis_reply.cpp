// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What comes from a Redis, cut into pieces as the first byte says; and what a limiter makes of each reply.
#include <weir/shared/detail/redis_reader.hpp>
#include <weir/shared/redis_store.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace {

void walk(weir::redis_value const& v, int depth)
{
    if (depth > 9) std::abort();
    if (v.text().size() > 65'536 || v.size() > 1024) std::abort();
    for (std::size_t k = 0; k < v.size(); ++k) walk(v[k], depth + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size == 0) return 0;
    std::size_t const piece = data[0] == 0 ? size : data[0];
    std::string_view const bytes(reinterpret_cast<char const*>(data + 1), size - 1);
    weir::detail::redis_reader reader(65'536);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        if (!reader.feed(bytes.substr(at, piece))) return 0;
        for (;;) {
            std::optional<weir::redis_reply> reply;
            if (reader.next(reply)) return 0;
            if (!reply) break;
            walk(reply->value(), 0);
            weir::detail::read_redis_grant::values grant;
            if (!weir::detail::read_redis_grant{64}(reply->value(), grant) && std::get<0>(grant).permits > 64)
                std::abort();
            weir::detail::read_redis_return::values nothing;
            (void)weir::detail::read_redis_return{}(reply->value(), nothing);
            (void)weir::detail::redis_error(reply->value().text());
        }
    }
    return 0;
}
