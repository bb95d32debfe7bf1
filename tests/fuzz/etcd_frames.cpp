// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What etcd says: as a stream of frames, cut anywhere, it changes a table; as an answer it is read or refused; as a
// value it is an instance or none. However it is cut, the table is the same, and its revision never goes back.
#include <weir/registry/detail/etcd_document.hpp>
#include <weir/registry/detail/etcd_instance.hpp>
#include <weir/registry/detail/etcd_table.hpp>
#include <weir/registry/detail/json_frames.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>

using namespace weir::registry::detail;

namespace {

struct end {
    std::map<std::string, std::string> entries;
    std::uint64_t revision = 0;
    std::size_t frames = 0;
    bool broken = false;

    friend bool operator==(end const&, end const&) = default;
};

end listen(std::string_view stream, std::size_t piece_size)
{
    etcd_table<std::string> table([](etcd_pair&& p) { return std::move(p.value); });
    if (!table.load({.cluster = 7, .revision = 3, .pairs = {{.key = "a", .value = "1", .revision = 2}}})) std::abort();
    json_frames frames({.max_bytes = 2048});
    end e;
    while (!stream.empty() && !e.broken) {
        auto piece = stream.substr(0, piece_size);
        stream.remove_prefix(piece.size());
        while (auto const v = frames.next(piece)) {
            ++e.frames;
            std::string why;
            auto f = read_etcd_frame(*v, why);
            if (f.has_value() != why.empty()) std::abort();
            auto const before = table.revision();
            if (!f || table.apply(*std::move(f)) >= etcd_table<std::string>::news::lost) e.broken = true;
            if (table.revision() < before) std::abort();
            if (e.broken) break;
        }
        e.broken = e.broken || !frames.why().empty();
        if (!e.broken && !piece.empty()) std::abort();
    }
    e.entries = table.entries();
    e.revision = table.revision();
    return e;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    auto const whole = listen(text, size + 1);
    for (std::size_t const piece : {1u, 7u})
        if (!(listen(text, piece) == whole)) std::abort();

    std::string why;
    if (auto const r = read_etcd_range(text, why))
        for (auto const& p : r->pairs)
            if (p.key.empty() || p.revision == 0) std::abort();
    why.clear();
    if (auto const i = read_etcd_instance("web", "x", text, why)) {
        if (i->address.host.empty() || i->address.port == 0 || i->service != "web") std::abort();
        if (read_etcd_instance("web", "x", write_etcd_instance(*i), why) != i) std::abort();
    } else if (why.empty()) {
        std::abort();
    }
    (void)read_etcd_lease(text, why);
    (void)read_etcd_token(text, why);
    for (unsigned const status : {400u, 503u})
        if (read_etcd_error(status, text).what == etcd_trouble::none) std::abort();
    if (auto const bytes = from_base64(text); bytes && to_base64(*bytes) != text) std::abort();
    if (read_etcd_key_part(etcd_key_part(text)).value_or("") != text) std::abort();
    return 0;
}
