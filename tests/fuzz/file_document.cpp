// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The document of registry::file, which is what caching() keeps on disk, too: what is read is a list of instances that
// can be called, each once, and is the same when it is written and read again.
#include <weir/registry/detail/file_document.hpp>

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
    query const q{.service = "web"};
    listing all;
    auto const ec = detail::read_file_document(text, q, all);
    if (ec && (!all.instances.empty() || all.note.empty())) std::abort();
    if (all.skipped != 0 && all.note.empty()) std::abort();
    std::set<std::string> ids;
    for (auto const& i : all.instances)
        if (i.id().empty() || !ids.insert(i.id()).second || i.address.host.empty() || i.address.port == 0 ||
            i.service != "web" || !q.matches(i))
            std::abort();
    if (ec) return 0;
    listing again;
    if (detail::read_file_document(detail::write_file_document("web", all.instances), q, again)) std::abort();
    if (again.instances != all.instances || again.skipped != 0) std::abort();
    return 0;
}
