// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/erased_handler.hpp>

namespace weir::registry::detail {

using weir::detail::erased_handler;

}  // namespace weir::registry::detail
