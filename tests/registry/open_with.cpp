// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/open_with.hpp>

#include <weir/registry/file.hpp>
#include <weir/registry/memory.hpp>
#include <weir/registry/static_list.hpp>

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <stdexcept>
#include <string>

using weir::registry::file;
using weir::registry::open_with;
using weir::registry::static_list;
namespace asio = boost::asio;

namespace {

static_assert(weir::registry::url_registry<file>);
static_assert(!weir::registry::url_registry<weir::registry::memory>);

// As static_list, and over TLS.
struct guarded : static_list {
    struct options {
        std::string url;
    };
    static constexpr bool tls = true;
    guarded(executor_type const& e, options const&) : static_list(e, {.endpoints = {{"guarded", "a", 1}}}) {}
};

std::string refusal(std::string const& url)
{
    asio::io_context io;
    try {
        (void)open_with<file, static_list>(io.get_executor(), url);
    } catch (std::invalid_argument const& e) {
        return e.what();
    }
    return "taken";
}

}  // namespace

TEST_CASE("open_with: the scheme decides among those that are listed; tls=true asks for one that speaks it")
{
    asio::io_context io;
    auto const instances = [&](weir::registry::any_registry const& r) {
        std::string ids;
        r.async_resolve({"web"}, [&](boost::system::error_code ec, auto const& s) {
            if (!ec)
                for (auto const& i : *s->instances) ids += i.id() + " ";
        });
        io.restart();
        io.run();
        return ids;
    };
    CHECK(instances(open_with<file, static_list, guarded>(io.get_executor(), "static://b:2")) == "b:2 ");
    CHECK(instances(open_with<file, static_list, guarded>(io.get_executor(), "static://b:2?tls=true")) == "guarded ");
    CHECK(instances(open_with<file>(io.get_executor(), "file:///nowhere")).empty());
    CHECK_THROWS_WITH_AS((void)open_with<guarded>(io.get_executor(), "static://b:2?tls=false"),
                         doctest::Contains("this scheme is here with tls=true only"), std::invalid_argument);
}

TEST_CASE("open_with: what cannot be opened is refused with what would be right, and without secrets")
{
    CHECK(refusal("consul://a") == "weir: bad URL \"consul://a\": it must start with one of file://, static://");
    CHECK(refusal("a:80").ends_with("it must start with one of file://, static://"));
    CHECK(refusal("").ends_with("it must start with one of file://, static://"));
    CHECK(refusal("FILE:///a").ends_with("it must start with one of file://, static://"));
    CHECK(refusal("static://b:2?tls=true").ends_with("there is no TLS for this scheme here"));
    CHECK(refusal("static://b").find("each host needs a port") != std::string::npos);
    for (auto const* url :
         {"consul://u:canary@a", "etcd://a?token=canary", "static://u:canary@a:1", "static://a:1?password=canary"})
        CHECK(refusal(url).find("canary") == std::string::npos);
}
