// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a ZooKeeper sends, cut into frames in two ways, read as everything that it might be; and the data of nodes.
#include <weir/registry/detail/zookeeper_document.hpp>
#include <weir/registry/detail/zookeeper_frames.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace detail = weir::registry::detail;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const input(reinterpret_cast<char const*>(data), size);
    detail::zk_splitter whole, pieces;
    std::vector<std::string> frames, again;
    whole.push(input);
    while (auto f = whole.next()) frames.push_back(*f);
    for (std::size_t n = 0; n < size; n += 7) {
        pieces.push(input.substr(n, 7));
        while (auto f = pieces.next()) again.push_back(*f);
    }
    if (frames != again || whole.broken() != pieces.broken()) std::abort();

    frames.emplace_back(input);
    for (auto const& frame : frames) {
        (void)detail::read_zk_connected(frame);
        auto const r = detail::read_zk_reply(frame);
        auto const body = r ? r->body : std::string_view(frame);
        (void)detail::read_zk_event(body);
        (void)detail::read_zk_stat(body);
        if (auto const names = detail::read_zk_children(body); names && names->size() * 4 > body.size()) std::abort();
        auto const node = detail::read_zk_data(body);
        std::string why;
        auto const i = detail::read_zookeeper_instance("web", "a", node ? *node : frame, why);
        if (i ? i->address.port == 0 || i->address.host.empty() : why.empty()) std::abort();
    }
    if (detail::read_zookeeper_node_name(detail::zookeeper_node_name(input)) != input) std::abort();
    return 0;
}
