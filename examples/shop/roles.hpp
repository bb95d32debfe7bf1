// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "options.hpp"

/// The processes of the shop. Each function runs one until it is told to end and returns its exit status.
namespace shop {

int run_inventory(options const&);
int run_order(options const&);
int run_story(options const&);

}  // namespace shop
