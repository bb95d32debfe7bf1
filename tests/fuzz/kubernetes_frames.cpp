// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What Kubernetes says: as a stream of events, cut anywhere, it changes a table; as a list it fills one. However it is
// cut, the table tells the same, and only of instances that can be called, each once.
#include <weir/registry/detail/json_frames.hpp>
#include <weir/registry/detail/kubernetes_document.hpp>
#include <weir/registry/detail/kubernetes_table.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

using namespace weir::registry;
using namespace weir::registry::detail;

namespace {

listing told(kubernetes_table const& table)
{
    auto [ec, all] = table.tell();
    if (ec && (!all.instances.empty() || all.note.empty())) std::abort();
    std::string last;
    for (auto const& i : all.instances) {
        if (i.id() <= last || i.address.host.empty() || i.address.port == 0 || i.service != "web") std::abort();
        last = i.id();
    }
    return all;
}

kubernetes_table listen(std::string_view stream, std::size_t piece_size)
{
    kubernetes_table table;
    json_frames frames({.max_bytes = 2048});
    while (!stream.empty()) {
        auto piece = stream.substr(0, piece_size);
        stream.remove_prefix(piece.size());
        while (auto const v = frames.next(piece)) {
            std::string why;
            auto e = read_kubernetes_event(*v, "web", "http", why);
            if (e.has_value() != why.empty()) std::abort();
            if (!e || table.apply(*std::move(e)) >= kubernetes_table::news::lost) return table;
        }
        if (!frames.why().empty()) return table;
        if (!piece.empty()) std::abort();
    }
    return table;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    auto const whole = listen(text, size + 1);
    auto const all = told(whole);
    for (std::size_t const piece : {1u, 7u}) {
        auto const cut = listen(text, piece);
        if (told(cut).instances != all.instances || cut.revision() != whole.revision()) std::abort();
    }
    std::string why;
    kubernetes_table table;
    if (auto list = read_kubernetes_list(text, "web", "", why)) {
        if (list->revision.empty()) std::abort();
        if (table.load(*std::move(list))) (void)told(table);
    } else if (why.empty()) {
        std::abort();
    }
    (void)read_kubernetes_status(500, text);
    if (auto const s = read_kubernetes_service(text); s && (s->name.empty() || s->name.find('/') != s->name.npos))
        std::abort();
    return 0;
}
