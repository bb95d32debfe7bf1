// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A user of weir::core, who has no Boost.

#include <weir/weir.hpp>

#ifdef BOOST_CONFIG_HPP
#error "weir/weir.hpp brought Boost in"
#endif

int main()
{
    std::error_code const refused = weir::errc::circuit_open;
    return refused == weir::condition::rejected ? 0 : 1;
}
