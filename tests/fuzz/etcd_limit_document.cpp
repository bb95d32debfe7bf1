// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// What etcd keeps of a shared limit, and its answers to a swap: a word that was read is written back as it came, and no
// word, whatever it says, grants more than the burst, or makes somebody wait for longer than one permit takes.
#include <weir/shared/detail/etcd_limit_document.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

using namespace weir::detail;
using namespace std::chrono_literals;

namespace {

void word(std::string_view text)
{
    auto s = read_etcd_limit(text);
    if (!s) return;
    auto const written = write_etcd_limit(*s);
    auto const again = read_etcd_limit(written);
    if (!again || write_etcd_limit(*again) != written) std::abort();

    // 100 per second, and a burst of 10.
    auto& w = s->word;
    weir::permit_request const r{
        .interval = weir::micros(10'000), .tolerance = weir::micros(100'000), .want = 64, .least = 1, .share = 1};
    auto const now = static_cast<double>(s->seen);
    auto const first = w.acquire(r, now);
    if (first.permits > 10) std::abort();
    if (first.permits == 0 && (first.retry_after <= weir::duration::zero() || first.retry_after > 10ms)) std::abort();
    w.give_back({.interval = r.interval, .permits = first.permits, .stamp = first.stamp}, now);
    auto const second = w.acquire(r, now);
    if (second.permits > 10) std::abort();
    if (first.permits + second.permits != 0 && w.acquire(r, now + 1e6).permits != 10) std::abort();
}

void answer(std::optional<etcd_limit_answer> const& a, std::string const& why)
{
    if (a.has_value() != why.empty()) std::abort();
    if (!a) return;
    if (a->cluster == 0 || a->revision == 0) std::abort();
    if (a->found && (a->swapped || a->found->created == 0 || a->found->revision < a->found->created)) std::abort();
    if (a->found) word(a->found->value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    word(text);
    std::string why;
    answer(read_etcd_swap(text, why), why);
    why.clear();
    answer(read_etcd_one(text, why), why);
    return 0;
}
