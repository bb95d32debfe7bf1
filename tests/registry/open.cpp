// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/open.hpp>

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

using weir::registry::open;
namespace asio = boost::asio;

TEST_CASE("open: every scheme opens its registry, over TLS where the URL asks for it")
{
    asio::io_context io;
    CHECK(open(io.get_executor(), "consul://127.0.0.1,127.0.0.2:1?dc=x").registers());
    CHECK(open(io.get_executor(), "consul://127.0.0.1?tls=true").registers());
    CHECK(open(io.get_executor(), "etcd://127.0.0.1/services").registers());
    CHECK(open(io.get_executor(), "etcd://127.0.0.1?tls=true").registers());
    CHECK(open(io.get_executor(), "nacos://127.0.0.1?group=shop").registers());
    CHECK(open(io.get_executor(), "nacos://127.0.0.1?tls=true").registers());
    CHECK(open(io.get_executor(), "eureka://127.0.0.1,127.0.0.2:1/eureka/v2").registers());
    CHECK(open(io.get_executor(), "eureka://127.0.0.1?tls=true").registers());
    CHECK_FALSE(open(io.get_executor(), "k8s://127.0.0.1/default").registers());
    CHECK_FALSE(open(io.get_executor(), "dns://127.0.0.1").registers());
    CHECK(open(io.get_executor(), "zk://127.0.0.1/services").registers());
    CHECK(open(io.get_executor(), "zk://127.0.0.1:2281/services?tls=true").registers());
    CHECK_FALSE(open(io.get_executor(), "static://127.0.0.1:80").registers());
    CHECK_FALSE(open(io.get_executor(), "file:///nowhere.json").registers());
}
