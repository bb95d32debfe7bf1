// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "score.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace shop {

/// Writes the curves and the table of all arms as one HTML page that needs nothing else: no script, no font, no
/// network. Throws std::runtime_error when the file cannot be written.
void write_report(std::string const& file, story const& s, std::uint64_t seed, std::vector<record> const& records);

}  // namespace shop
