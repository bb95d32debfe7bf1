// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Answers of DNS servers: no packet may be read beyond its end, take long, or become an instance that is none.
#include <weir/registry/detail/dns_answer.hpp>
#include <weir/registry/detail/dns_message.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace reg = weir::registry;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string why;
    auto const m = reg::detail::read_dns_message(std::span(data, size), why);
    if (!m) {
        if (why.empty()) std::abort();
        return 0;
    }
    if (!reg::detail::answers_dns_question(std::span(data, size), m->id, m->name,
                                           static_cast<reg::detail::dns_record_type>(m->type)) &&
        m->response)
        std::abort();
    for (auto const type :
         {reg::detail::dns_record_type::a, reg::detail::dns_record_type::aaaa, reg::detail::dns_record_type::srv}) {
        auto const a = reg::detail::read_dns_answer(*m, m->name, type);
        if ((a.what == reg::detail::dns_answer::kind::found) == a.records.empty()) std::abort();
        if ((a.what == reg::detail::dns_answer::kind::failed) != static_cast<bool>(a.error)) std::abort();
        if (type != reg::detail::dns_record_type::srv) continue;
        std::map<std::string, std::vector<std::string>> addresses;
        for (auto const& [name, of] : a.additional) addresses[name] = of.v4.empty() ? of.v6 : of.v4;
        for (auto const& i : reg::detail::srv_instances(a.records, addresses, {"web"}))
            if (i.id().empty() || i.address.host.empty()) std::abort();
    }
    return 0;
}
