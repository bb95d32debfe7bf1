// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Answers of Nacos, in both interfaces: whatever it says, what is published is a list of instances that can be called,
// each once, none that serves without a weight; and no time is absurd.
#include <weir/registry/detail/nacos_document.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <string_view>

using namespace weir::registry;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    auto const absurd = [](weir::duration d) { return d < weir::duration::zero() || d > std::chrono::hours(24 * 366); };
    for (auto const api : {nacos_api::v1, nacos_api::v3}) {
        listing all;
        std::optional<weir::duration> cache;
        auto const ec = detail::read_nacos_list(api, text, {}, {.service = "web"}, all, cache);
        if (ec && (!all.instances.empty() || all.note.empty())) std::abort();
        if (cache && absurd(*cache)) std::abort();
        std::set<std::string> ids;
        for (auto const& i : all.instances)
            if (!ids.insert(i.id()).second || i.address.host.empty() || i.address.port == 0 || i.service != "web" ||
                (i.serves() && i.address.weight == 0))
                std::abort();
    }
    std::string why;
    auto const beat = detail::read_nacos_beat(text, why);
    if (!beat && why.empty()) std::abort();
    if (beat && beat->interval && absurd(*beat->interval)) std::abort();
    why.clear();
    auto const token = detail::read_nacos_token(text, why);
    if (token ? token->token.empty() || absurd(token->ttl) : why.empty()) std::abort();
    if (auto const verdict = detail::read_nacos_verdict(text); verdict && verdict->message.size() > 200) std::abort();
    return 0;
}
