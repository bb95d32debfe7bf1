// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Answers of Eureka: whatever it says, what is published is a list of instances that can be called, each once.
#include <weir/registry/detail/eureka_document.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

using namespace weir::registry;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    for (bool const other : {false, true}) {
        listing all;
        auto const ec =
            detail::read_eureka_application(text, {.service = "web"}, {.host_names = other, .secure = other}, all);
        if (ec && (!all.instances.empty() || all.note.empty())) std::abort();
        std::set<std::string> ids;
        for (auto const& i : all.instances)
            if (i.id().empty() || !ids.insert(i.id()).second || i.address.host.empty() || i.address.port == 0 ||
                i.service != "web")
                std::abort();
    }
    return 0;
}
