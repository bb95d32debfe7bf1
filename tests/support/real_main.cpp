// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The program of all tests against real servers, which they start and kill. What it needs and has not got is skipped,
// loudly, with exit status 77; with `--source-file=*/<file>` that goes for the needs of this file.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <support/real_server.hpp>

#include <csignal>
#include <cstdio>
#include <string_view>

int main(int argc, char** argv)
{
    std::signal(SIGPIPE, SIG_IGN);
    doctest::Context context(argc, argv);
    auto const wanted = [&](std::string_view file) {
        for (std::string_view const argument : std::vector<std::string_view>(argv + 1, argv + argc))
            if (argument.starts_with("--source-file=*")) return file.ends_with(argument.substr(argument.find('*') + 1));
        return true;
    };
    bool missing = false;
    for (auto const& need : weir::testing::needs_server::all()) {
        if (need.there()) continue;
        context.addFilter("test-case-exclude", need.cases);
        if (!wanted(need.file)) continue;
        std::printf("SKIPPED: %s: %s\n", need.cases, need.remedy);
        missing = true;
    }
    auto const failed = context.run();
    return failed != 0 ? failed : missing ? 77 : 0;
}
