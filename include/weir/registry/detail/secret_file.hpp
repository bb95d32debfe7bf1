// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <fstream>
#include <ios>
#include <optional>
#include <string>

namespace weir::registry::detail {

/// What is in a file that holds a secret and nothing else, without the white space around it. Nothing: it cannot be
/// read, is empty, or has more than 64 KiB.
[[nodiscard]] inline std::optional<std::string> read_secret_file(std::string const& file)
{
    constexpr std::size_t limit = 64 * 1024;
    std::ifstream in(file, std::ios::binary);
    std::string text(limit + 1, '\0');
    if (!in.read(text.data(), static_cast<std::streamsize>(text.size())) && !in.eof()) return std::nullopt;
    text.resize(static_cast<std::size_t>(in.gcount()));
    auto const space = " \t\r\n";
    if (text.size() > limit || text.find_first_not_of(space) == text.npos) return std::nullopt;
    text.erase(text.find_last_not_of(space) + 1);
    text.erase(0, text.find_first_not_of(space));
    return text;
}

}  // namespace weir::registry::detail
