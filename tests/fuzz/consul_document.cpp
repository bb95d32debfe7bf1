// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Answers of Consul: whatever it says, what is published is a list of instances that can be called, each once.
#include <weir/registry/detail/consul_document.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace weir::registry;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    listing all;
    auto const ec = detail::read_consul_health(text, {.service = "web"}, all);
    if (ec && (!all.instances.empty() || all.note.empty())) std::abort();
    for (auto const& i : all.instances)
        if (i.id().empty() || i.address.host.empty() || i.address.port == 0 || i.service != "web") std::abort();
    (void)detail::read_consul_authorization(text);
    if (auto const index = detail::read_consul_index(text); index && *index == 0) std::abort();
    return 0;
}
