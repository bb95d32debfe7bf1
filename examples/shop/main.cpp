// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The shop: one program, several processes. Start with order_governed.cpp, the service that weir is for, and compare it
// with order_bare.cpp; story.cpp says what is done to both.
#include "process.hpp"
#include "roles.hpp"

#include <cstdio>
#include <exception>

int main(int argc, char** argv)
{
    try {
        auto const o = shop::parse_options(argc, argv);
        if (o.help) {
            std::fputs(shop::help_text(), stdout);
            return 0;
        }
        shop::raise_descriptor_limit();
        if (o.role.empty()) return shop::run_story(o);
        shop::tie_to_parent();
        return o.role == "inventory" ? shop::run_inventory(o) : shop::run_order(o);
    }
    catch (shop::usage_error const& e) {
        std::fprintf(stderr, "shop: %s\n", e.what());
        return 2;
    }
    catch (std::exception const& e) {
        std::fprintf(stderr, "shop: %s\n", e.what());
        return 3;
    }
}
