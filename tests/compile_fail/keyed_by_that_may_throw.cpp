// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: weir::keyed_by: the key is found, const and noexcept, in a weir::call_facts const&
#include <weir/limit/keyed_by.hpp>
#include <weir/limit/keyed_limiter.hpp>

weir::keyed_limiter<std::uint64_t> per_tenant;

#ifdef WEIR_CORRECT
weir::keyed_by by_length{per_tenant, [](weir::call_facts const& of) noexcept { return of.key.size(); }};
#else
weir::keyed_by by_length{per_tenant, [](weir::call_facts const& of) { return of.key.size(); }};
#endif
