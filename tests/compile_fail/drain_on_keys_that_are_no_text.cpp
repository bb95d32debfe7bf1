// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: weir::drain_on: this is no gate; a limiter whose keys are no text goes into a weir::keyed_by first
#include <weir/limit/drain_on.hpp>
#include <weir/limit/keyed_by.hpp>
#include <weir/limit/keyed_limiter.hpp>

weir::keyed_limiter<std::uint64_t> per_tenant;

#ifdef WEIR_CORRECT
auto const length = [](weir::call_facts const& of) noexcept { return of.key.size(); };
weir::drain_on careful{weir::keyed_by{per_tenant, length}};
#else
weir::drain_on careful{per_tenant};
#endif
