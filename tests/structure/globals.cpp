// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A user's own short names, before weir is included: under -Wshadow, Clang must have nothing to say about weir's.
// GCC 12 has more to say: of the parameters of some two hundred constructors, and of no other function's. Whoever takes
// weir as a system header, as from CMake's find_package, hears none of it.
extern int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z;

#include <weir/asio.hpp>
#include <weir/weir.hpp>
