// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/beast/core/rate_policy.hpp>

#include <cstddef>

namespace weir::test {
struct probe;
}
namespace boost::beast {
template <class, class, class>
class basic_stream;
}

/// Asks a rate policy as a stream of Beast does: only basic_stream may.
template <>
class boost::beast::basic_stream<weir::test::probe, weir::test::probe, weir::test::probe> {
public:
    template <class Policy>
    static std::size_t can_read(Policy& p)
    {
        return rate_policy_access::available_read_bytes(p);
    }
    template <class Policy>
    static std::size_t can_write(Policy& p)
    {
        return rate_policy_access::available_write_bytes(p);
    }
    template <class Policy>
    static void has_read(Policy& p, std::size_t n)
    {
        rate_policy_access::transfer_read_bytes(p, n);
    }
    template <class Policy>
    static void has_written(Policy& p, std::size_t n)
    {
        rate_policy_access::transfer_write_bytes(p, n);
    }
    template <class Policy>
    static void second(Policy& p)
    {
        rate_policy_access::on_timer(p);
    }
};

namespace weir::test {
using rate_policy_probe = boost::beast::basic_stream<probe, probe, probe>;
}
