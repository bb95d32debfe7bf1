// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <source_location>
#include <vector>

namespace weir::testing {

/// Said by a file of tests against a real server, at namespace scope: where `there` says no, the cases that `cases`
/// matches are skipped, `remedy` is told, and the program ends with 77 (support/real_main.cpp).
struct needs_server {
    needs_server(char const* cases_, char const* remedy_, bool (*there_)(),
                 std::source_location where = std::source_location::current())
        : cases(cases_), remedy(remedy_), there(there_), file(where.file_name())
    {
        all().push_back(*this);
    }
    static std::vector<needs_server>& all()
    {
        static std::vector<needs_server> list;
        return list;
    }

    char const *cases, *remedy;
    bool (*there)();
    char const* file;
};

}  // namespace weir::testing
