// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Configuration from outside: quantities, documents, Consul's keys. Whatever comes, it is applied whole or refused with
// a reason, and then nothing has changed; one environment never sees what is another's.
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/config/binding.hpp>
#include <weir/config/detail/consul_kv_document.hpp>
#include <weir/config/document.hpp>
#include <weir/config/units.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/token_bucket.hpp>

#include <boost/json/serialize.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace config = weir::config;

namespace {

// What reads, reads back from how it is written.
void quantity(std::string_view text)
{
    try {
        auto const d = config::parse_duration(text);
        if (d < weir::duration::zero() || config::parse_duration(config::to_text(d)) != d) std::abort();
    } catch (std::invalid_argument const&) {
    }
    try {
        auto const r = config::parse_rate(text);
        if (r.per <= weir::duration::zero() || config::parse_rate(config::to_text(r)) != r) std::abort();
    } catch (std::invalid_argument const&) {
    }
    try {
        if (!(config::parse_ratio(text) >= 0)) std::abort();
    } catch (std::invalid_argument const&) {
    }
    try {
        (void)config::parse_bytes(text);
    } catch (std::invalid_argument const&) {
    }
}

void document(std::string_view text)
{
    weir::concurrency_limit limit;
    weir::token_bucket bucket;
    weir::circuit_breaker breaker({.stripes = 1});
    weir::endpoint_set route({{.id = "blue", .host = "10.0.0.1", .port = 80}});
    config::live<weir::retry_options> retry({}, [](auto const& o) { (void)weir::retry{o}; });
    config::binding bound;
    bound.bind("limit", limit, {})
        .bind("limits.checkout", bucket, {})
        .bind("breaker", breaker, {.stripes = 1})
        .bind("route", route)
        .bind("retry", retry);

    config::findings found;
    auto const sections = parse({std::string(text)}, {.max_bytes = 4096, .environment = "prod"}, found);
    if (sections.has_value() != found.empty()) std::abort();
    if (!sections) return;
    if (sections->contains("environments") || sections->contains("environment")) std::abort();
    auto const before = route.version();
    found = bound.apply(*sections);
    for (auto const& f : found)
        if (f.why.empty() || f.why.size() > 2000 || f.value.size() > 2000) std::abort();
    if (!found.empty() && (limit.limit() != 25 || route.version() != before || retry.get()->max_attempts != 3))
        std::abort();
    if (found.empty() && !bound.apply(*sections).empty()) std::abort();
}

void keys(std::string_view text)
{
    for (auto const* const key : {"c", "c/"}) {
        config::loaded l;
        auto const ec = config::detail::read_consul_kv(text, key, l);
        if (ec && l.note.empty()) std::abort();
    }
    config::detail::tree flat('.');
    std::string why;
    while (!text.empty()) {
        auto const line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (!flat.add_text(line.substr(0, line.find('=')), line, why) && why.empty()) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size == 0) return 0;
    std::string_view const text(reinterpret_cast<char const*>(data) + 1, size - 1);
    switch (data[0] % 3) {
        case 0: quantity(text); break;
        case 1: document(text); break;
        default: keys(text);
    }
    return 0;
}
