// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/file.hpp>

#include <weir/config/refresh.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <stdlib.h>
#include <unistd.h>

using namespace std::chrono_literals;
using weir::config::file;
using weir::config::loaded;
namespace asio = boost::asio;
namespace fs = std::filesystem;
using boost::system::error_code;

static_assert(weir::config::source<file>);

namespace {

struct directory {
    directory()
    {
        auto name = (fs::temp_directory_path() / "weir-file-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary directory");
        path = name;
    }
    directory(directory const&) = delete;
    ~directory()
    {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    fs::path operator/(char const* name) const { return path / name; }
    fs::path path;
};

void write(fs::path const& p, std::string const& text) { std::ofstream(p, std::ios::binary) << text; }

void replace(fs::path const& p, std::string const& text)
{
    auto const next = p.parent_path() / ".next";
    write(next, text);
    fs::rename(next, p);
}

// A file source in real time; with a poll of an hour, what is seen was told by the kernel.
struct scene {
    asio::io_context io;
    std::optional<file::conversation> talk;
    loaded last;
    error_code ec;

    explicit scene(fs::path const& p, weir::duration poll = 1h)
    {
        talk.emplace(file(p, {.poll = poll}).open(io.get_executor()));
    }
    auto handler(bool& done)
    {
        auto h = [&](error_code e, loaded l) {
            ec = e;
            last = std::move(l);
            done = true;
        };
        return weir::config::loaded_handler(std::move(h), io.get_executor());
    }
    bool finish(bool& done)
    {
        io.restart();
        auto const end = std::chrono::steady_clock::now() + 5s;
        while (!done && std::chrono::steady_clock::now() < end && io.run_one_until(end) != 0) {}
        return done;
    }
    std::string load()
    {
        bool done = false;
        talk->async_load(handler(done));
        CHECK(finish(done));
        return last.document.bytes;
    }
    // What the file says once `change` is done to it by somebody else, while a wait is on.
    std::string after(std::function<void()> const& change)
    {
        bool done = false;
        auto const version = last.document.version;
        talk->async_await_change(version, handler(done));
        io.restart();
        io.poll();
        CHECK_FALSE(done);
        change();
        CHECK(finish(done));
        CHECK_FALSE(ec);
        return last.missing ? "missing" : last.document.bytes;
    }
};

}  // namespace

TEST_CASE("file: is read whole, with a version that follows the text")
{
    directory d;
    write(d / "c.json", std::string(100'000, ' ') + "{}");
    scene s(d / "c.json");
    CHECK(s.load().size() == 100'002);
    auto const first = s.last.document.version;
    CHECK(first.size() == 16);
    write(d / "c.json", "{ }");
    CHECK(s.load() == "{ }");
    CHECK(s.last.document.version != first);
    CHECK(s.last.document.format == weir::config::format::json);
    CHECK(weir::config::detail::text_hash("") == "cbf29ce484222325");
    CHECK(weir::config::detail::text_hash("foobar") == "85944171f73967e8");  // of the authors' test suite
}

TEST_CASE("file: a change is told by the kernel, however the file is written")
{
    directory d;
    write(d / "c.json", "1");
    scene s(d / "c.json");
    CHECK(s.load() == "1");
    CHECK(s.after([&] { write(d / "c.json", "2"); }) == "2");
    CHECK(s.after([&] { replace(d / "c.json", "3"); }) == "3");
    CHECK(s.after([&] { replace(d / "c.json", "4"); }) == "4");  // the watch did not go with the file
    CHECK(s.after([&] { fs::remove(d / "c.json"); }) == "missing");
    CHECK(s.last.note.find("there is no such file") != std::string::npos);
    CHECK(s.after([&] { write(d / "c.json", "5"); }) == "5");
    // A change between two waits.
    replace(d / "c.json", "6");
    bool done = false;
    s.talk->async_await_change(s.last.document.version, s.handler(done));
    CHECK(s.finish(done));
    CHECK(s.last.document.bytes == "6");
}

TEST_CASE("file: what happens to its neighbours wakes nobody, and so does the same text written again")
{
    directory d;
    write(d / "c.json", "1");
    scene s(d / "c.json");
    CHECK(s.load() == "1");
    CHECK(s.after([&] {
        write(d / "other", "x");
        write(d / "c.json", "1");
        s.io.restart();
        s.io.poll();
        replace(d / "c.json", "2");
    }) == "2");
}

TEST_CASE("file: in a Kubernetes volume the change is a link in the directory")
{
    directory d;
    auto const publish = [&](char const* version, char const* text) {
        auto const old = fs::exists(d / "..data") ? fs::read_symlink(d / "..data") : fs::path();
        fs::create_directory(d / version);
        write(d.path / version / "c.json", text);
        fs::create_directory_symlink(version, d / "..data_tmp");
        fs::rename(d / "..data_tmp", d / "..data");
        if (!old.empty()) fs::remove_all(d.path / old);
    };
    publish("..2026_01", "1");
    fs::create_symlink("..data/c.json", d / "c.json");
    scene s(d / "c.json");
    CHECK(s.load() == "1");
    CHECK(s.after([&] { publish("..2026_02", "2"); }) == "2");
    CHECK(s.after([&] { publish("..2026_03", "3"); }) == "3");
}

TEST_CASE("file: its directory may come later, and go, and come again")
{
    directory d;
    weir::testing::virtual_time world;
    auto talk = file(d / "sub/c.json", {.poll = 1s}).open(world.get_executor());
    loaded last;
    int answers = 0;
    std::function<void()> follow = [&] {
        talk.async_await_change(last.document.version, {[&](error_code ec, loaded l) {
                                                            if (ec) return;
                                                            ++answers;
                                                            last = std::move(l);
                                                            follow();
                                                        },
                                                        world.get_executor()});
    };
    follow();
    world.run_for(3s);
    CHECK(answers == 0);
    fs::create_directory(d / "sub");
    write(d / "sub/c.json", "1");
    world.run_for(2s);
    CHECK(last.document.bytes == "1");
    fs::remove_all(d / "sub");
    world.run_for(2s);
    CHECK(last.missing);
    fs::create_directory(d / "sub");
    write(d / "sub/c.json", "2");
    world.run_for(2s);
    CHECK(last.document.bytes == "2");
    CHECK(answers == 3);
}

TEST_CASE("file: what the kernel does not tell is found by looking")
{
    directory d, elsewhere;
    write(elsewhere / "real.json", "1");
    fs::create_symlink(elsewhere / "real.json", d / "c.json");
    weir::testing::virtual_time world;
    auto talk = file(d / "c.json", {.poll = 1s}).open(world.get_executor());
    loaded last;
    auto const take = [&] {
        return weir::config::loaded_handler([&](error_code, loaded l) { last = std::move(l); }, world.get_executor());
    };
    talk.async_load(take());
    world.run_for(1ms);
    CHECK(last.document.bytes == "1");
    talk.async_await_change(last.document.version, take());
    world.run_for(10s);
    write(elsewhere / "real.json", "2");
    world.run_for(1s);
    CHECK(last.document.bytes == "2");
}

TEST_CASE("file: what cannot be read is an error that says why")
{
    directory d;
    fs::create_directory(d / "c.json");
    scene s(d / "c.json");
    (void)s.load();
    CHECK(s.ec);
    CHECK(s.last.note.find("is not a regular file") != std::string::npos);
    asio::io_context io;
    write(d / "long.json", "12345");
    auto talk = file(d / "long.json", {.max_bytes = 4}).open(io.get_executor());
    loaded last;
    talk.async_load({[&](error_code, loaded l) { last = std::move(l); }, io.get_executor()});
    while (last.note.empty() && io.run_one_for(5s) != 0) {}
    CHECK(last.note.find("is longer than 4 bytes") != std::string::npos);
}

TEST_CASE("file: its name tells its format, and options out of range are refused")
{
    auto const format_of = [](char const* name) {
        directory d;
        write(d / name, "x");
        scene s(d / name);
        (void)s.load();
        return s.last.document.format;
    };
    CHECK(format_of("a.yaml") == weir::config::format::yaml);
    CHECK(format_of("a.yml") == weir::config::format::yaml);
    CHECK(format_of("a.conf") == weir::config::format::json);
    CHECK_THROWS_WITH(file("/etc/"), "weir: config::file needs the path of a file, and was given \"/etc/\"");
    CHECK_THROWS_WITH(file("a", {.poll = 1ms}), "weir: file_options.poll must be at least 10 ms, and is 1 ms");
    CHECK_THROWS_AS(file("a", {.max_bytes = 0}), std::invalid_argument);
}

TEST_CASE("file: a changed file is in force within a second, and a conversation that is over leaves nothing behind")
{
    directory d;
    write(d / "c.json", R"({"limit":{"limit":5}})");
    asio::io_context io;
    weir::concurrency_limit limit;
    weir::config::binding b;
    b.bind("limit", limit, {});
    std::optional<weir::config::refresh> follow;
    follow.emplace(io.get_executor(), file(d / "c.json"), std::move(b));
    auto const next = [&] {
        std::optional<weir::config::version_record> record;
        follow->async_next([&](error_code, weir::config::version_record r) { record = std::move(r); });
        while (!record && io.run_one_for(5s) != 0) {}
        return record.has_value();
    };
    REQUIRE(next());
    CHECK(limit.limit() == 5);
    auto const began = std::chrono::steady_clock::now();
    replace(d / "c.json", R"({"limit":{"limit":6}})");
    REQUIRE(next());
    CHECK(limit.limit() == 6);
    CHECK(std::chrono::steady_clock::now() - began < 1s);
    follow.reset();
    io.run();  // ends
}
