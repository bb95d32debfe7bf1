// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/caching.hpp>

#include <weir/core/random.hpp>
#include <weir/registry/concepts.hpp>
#include <weir/registry/memory.hpp>

#include <registry/composed.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

using namespace std::chrono_literals;
using weir::registry::caching;
using weir::registry::caching_options;
using weir::registry::cause;
using weir::registry::origin;
using weir::testing::composed;
using weir::testing::ids;
namespace fs = std::filesystem;

static_assert(weir::registry::service_registry<caching>);

namespace {

auto const refused = boost::asio::error::connection_refused;

struct scene : composed {
    fs::path dir = fs::temp_directory_path() / ("weir-cache-" + std::to_string(weir::thread_random()()));
    ~scene() { fs::remove_all(dir); }

    [[nodiscard]] std::string only_file() const
    {
        CHECK(std::distance(fs::directory_iterator(dir), {}) == 1);
        return fs::directory_iterator(dir)->path().string();
    }
    static std::string text(std::string const& file)
    {
        std::ifstream in(file);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static void write(std::string const& file, std::string const& text) { std::ofstream(file) << text; }
    // One life of a process that sees this set.
    void live(std::vector<std::string> const& known, caching_options o = {})
    {
        a.heal();
        a.knows(known);
        caching const registry(dir, source(a), o);
        auto const watch = registry.watch({"web"});
        world.run_for(10s);
    }
};

}  // namespace

TEST_CASE(
    "caching: a process that starts while the registry is down begins with the last good set, then has the live one")
{
    scene s;
    s.live({"a", "b"});
    CHECK(s.only_file().ends_with("/web++.json"));

    s.a.fail(refused);
    caching const registry(s.dir, s.source(s.a));
    auto watch = registry.watch({"web"});
    std::vector<weir::registry::update> told;
    s.listen(watch, told);
    s.world.run_for(5min);
    CHECK(ids(watch) == "a b ");
    CHECK(watch.current()->from == origin::cached);
    CHECK(told.size() == 1);
    CHECK(registry.status().read == 1);
    CHECK(watch.status().failures > 5);
    CHECK(s.resolve(registry) == "a b ");

    s.a.heal();
    s.a.knows({"a", "b", "c"});
    s.world.run_for(1min);
    CHECK(ids(watch) == "a b c ");
    CHECK(watch.current()->from == origin::live);
    REQUIRE(told.size() == 2);
    CHECK(told[1].why == cause::change);
    CHECK(told[1].diff.added.size() == 1);
    CHECK(registry.status().written == 1);

    // The same as kept: only the origin changes.
    caching const again(s.dir, s.source(s.a));
    auto same = again.watch({"web"});
    std::vector<weir::registry::update> of_same;
    s.listen(same, of_same);
    s.world.run_for(1s);
    CHECK(same.current()->from == origin::live);
    CHECK(of_same.back().diff.empty() == (of_same.size() == 2));
}

TEST_CASE("caching: a registry that is empty after both have restarted is not believed at once, and is when it lasts")
{
    scene s;
    s.live({"a", "b"});
    s.a.knows({});
    caching const registry(s.dir, s.source(s.a));
    auto const watch = registry.watch({"web"});
    s.world.run_for(9s);
    CHECK(ids(watch) == "a b ");
    CHECK(watch.status().held == 1);
    s.world.run_for(3s);
    CHECK(ids(watch).empty());
    CHECK(watch.current()->from == origin::live);
    // And nothing empty is kept.
    CHECK(s.text(s.only_file()).find("\"a\"") != std::string::npos);
}

TEST_CASE("caching: what is not just as it was written is not used, and said; the next good set replaces it")
{
    scene s;
    s.live({"a", "b"});
    auto const file = s.only_file();
    auto const good = s.text(file);
    auto const bad_entry = R"({"services":{"web":[{"id":"a","address":"x","port":1},{"id":"b"}]}})";
    for (std::string const& text : {std::string(), good.substr(0, good.size() - 5), std::string("[]"),
                                    std::string(bad_entry), std::string(R"({"services":{"other":["a:1"]}})"),
                                    std::string(R"({"services":{"web":[]}})"), good + std::string(10'000'000, ' ')}) {
        s.write(file, text);
        s.a.fail(refused);
        caching const registry(s.dir, s.source(s.a));
        auto const watch = registry.watch({"web"});
        s.world.run_for(1s);
        CHECK_FALSE(watch.current());
        CHECK(registry.status().refused == 1);
        CHECK_FALSE(registry.status().note.empty());
        CHECK(s.resolve(registry) == "<Connection refused>");
    }
    s.live({"a"});
    CHECK(s.text(file).find("\"id\":\"a\"") != std::string::npos);
    CHECK(fs::file_size(file) < 200);
}

TEST_CASE("caching: writes at its pace, the newest only, and within its bounds")
{
    scene s;
    s.a.knows({"a"});
    caching const registry(s.dir, s.source(s.a), {.pace = 1min, .max_files = 1});
    auto const watch = registry.watch({"web"});
    s.world.run_for(1s);
    CHECK(registry.status().written == 1);
    for (auto const* id : {"b", "c", "d"}) {
        s.a.knows({"a", id});
        s.world.run_for(5s);
    }
    CHECK(registry.status().written == 1);
    CHECK(s.text(s.only_file()).find("\"d\"") == std::string::npos);
    s.world.run_for(1min);
    CHECK(registry.status().written == 2);
    CHECK(s.text(s.only_file()).find("\"d\"") != std::string::npos);
    s.world.run_for(10min);
    CHECK(registry.status().written == 2);

    // One file is what there may be.
    auto const other = registry.watch({"web", "tag/../../x"});
    s.world.run_for(1s);
    CHECK(registry.status().failed == 1);
    CHECK(registry.status().note.find("is full") != std::string::npos);
    caching const small(s.dir, s.source(s.a), {.max_bytes = 10});
    auto const third = small.watch({"web"});
    s.world.run_for(1s);
    CHECK(small.status().failed == 1);
    CHECK(std::distance(fs::directory_iterator(s.dir), {}) == 1);

    fs::remove_all(s.dir);
    s.write(s.dir.string(), "a file");
    CHECK_THROWS_WITH_AS(caching(s.dir, s.source(s.a)), doctest::Contains("needs a directory"), std::invalid_argument);
}

TEST_CASE("caching: options out of range are named, and no directory is made")
{
    scene s;
    struct row {
        caching_options o;
        char const* named;
    };
    for (auto const& [o, named] : {row{{.pace = -1s}, "caching_options.pace must be at least 0 ms"},
                                   row{{.max_bytes = 0}, "caching_options.max_bytes must be at least 1"},
                                   row{{.max_files = 0}, "caching_options.max_files must be at least 1"}}) {
        CAPTURE(named);
        CHECK_THROWS_WITH_AS(caching(s.dir, s.source(s.a), o), doctest::Contains(named), std::invalid_argument);
    }
    CHECK_FALSE(fs::exists(s.dir));
}

TEST_CASE("caching: registrations go to the registry; a registry of any kind can be cached")
{
    scene s;
    weir::registry::memory inside(s.world.get_executor());
    inside.add({.service = "web", .address = "10.0.0.1", .port = 80, .id = "x"});
    caching const registry(s.dir, weir::registry::any_registry(std::move(inside)));
    CHECK(registry.registers());
    weir::registry::lease held;
    registry.async_register({.service = "web", .address = "10.0.0.2", .port = 80, .id = "y"},
                            [&](boost::system::error_code ec, weir::registry::lease l) {
                                CHECK_FALSE(ec);
                                held = std::move(l);
                            });
    auto watch = registry.watch({"web"});
    s.world.run_for(6s);
    CHECK(ids(watch) == "x y ");
    bool gone = false;
    registry.async_deregister("y", [&](boost::system::error_code ec) { gone = !ec; });
    s.world.run_for(1ms);
    CHECK(gone);
}
