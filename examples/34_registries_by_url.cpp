// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Which registry a service asks is a matter of where it runs, not of its code: a list of addresses on a laptop, a file
// in a container, Consul or etcd in production. So the configuration gives a URL, and `open` gives the registry it
// names. What cannot be opened is refused before anything is asked, with what would be right and without the secret in
// it.
//
// Expected output:
//   static://10.0.0.7:8080,10.0.0.8:8080   -> 10.0.0.7:8080 10.0.0.8:8080
//   file:///.../services.json              -> a b
//     ... and when the file is replaced    -> a b c
//   nothing can be registered in a file: operation not supported
//   weir: bad URL "consul://***@10.0.0.1": it must carry no user name or password, as in consul://127.0.0.1:8500

#include <weir/registry/consul.hpp>
#include <weir/registry/file.hpp>
#include <weir/registry/open_with.hpp>
#include <weir/registry/static_list.hpp>

#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <unistd.h>

namespace asio = boost::asio;
using weir::registry::any_registry;

namespace {

/// A program pays for the registries it lists; `weir::registry::open` of open.hpp lists all.
any_registry open(asio::any_io_executor executor, std::string_view url)
{
    using namespace weir::registry;
    return open_with<consul, file, static_list>(executor, url);
}

/// Waits for the next set, and shows who is in it.
void show_next(asio::io_context& io, weir::registry::watch& watch, char const* what)
{
    std::string ids;
    watch.async_next([&](boost::system::error_code ec, weir::registry::update const& news) {
        if (ec) return;
        for (auto const& i : *news.now->instances) ids += " " + i.id();
    });
    while (ids.empty()) io.run_one();
    std::printf("%-38s ->%s\n", what, ids.c_str());
}

}  // namespace

int main()
{
    asio::io_context io;

    auto const laptop = open(io.get_executor(), "static://10.0.0.7:8080,10.0.0.8:8080");
    auto fixed = laptop.watch({"inventory"});
    show_next(io, fixed, "static://10.0.0.7:8080,10.0.0.8:8080");

    auto const directory = std::filesystem::temp_directory_path() / ("weir-example-" + std::to_string(::getpid()));
    std::filesystem::create_directory(directory);
    auto const replace = [&](char const* instances) {
        std::ofstream(directory / "new") << R"({"services": {"inventory": [)" << instances << "]}}";
        std::filesystem::rename(directory / "new", directory / "services.json");  // whole or not at all
    };
    constexpr auto a = R"({"id": "a", "address": "10.0.0.7", "port": 8080})";
    constexpr auto b = R"({"id": "b", "address": "10.0.0.8", "port": 8080, "weight": 2})";
    constexpr auto c = R"({"id": "c", "address": "10.0.0.9", "port": 8080, "tags": ["canary"]})";
    replace((std::string(a) + "," + b).c_str());

    auto const container = open(io.get_executor(), "file://" + (directory / "services.json").string());
    auto followed = container.watch({"inventory"});
    show_next(io, followed, "file:///.../services.json");
    replace((std::string(a) + "," + b + "," + c).c_str());
    show_next(io, followed, "  ... and when the file is replaced");

    boost::system::error_code refused;
    container.async_register({.service = "inventory", .address = "10.0.0.10", .port = 8080},
                             [&](boost::system::error_code ec, weir::registry::lease const&) { refused = ec; });
    while (!refused) io.run_one();
    std::printf("nothing can be registered in a file: %s\n",
                refused == std::errc::operation_not_supported ? "operation not supported" : "?");

    try {
        auto const production = open(io.get_executor(), "consul://s3cret@10.0.0.1");
    } catch (std::invalid_argument const& e) {
        std::printf("%s\n", e.what());
    }
    std::filesystem::remove_all(directory);
}
