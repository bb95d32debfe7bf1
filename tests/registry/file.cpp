// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/file.hpp>

#include <weir/core/random.hpp>
#include <weir/registry/concepts.hpp>

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

using namespace std::chrono_literals;
using weir::errc;
using weir::registry::file;
using weir::registry::file_options;
using weir::registry::listing;
using weir::registry::origin;
using weir::registry::query;
using weir::registry::snapshot;
using weir::registry::detail::read_file_document;
using weir::registry::detail::write_file_document;
namespace asio = boost::asio;
namespace fs = std::filesystem;

static_assert(weir::registry::discovery<file>);

namespace {

// A directory that goes with the test.
struct place {
    fs::path path = fs::temp_directory_path() / ("weir-file-" + std::to_string(weir::thread_random()()));
    place() { fs::create_directory(path); }
    place(place const&) = delete;
    ~place() { fs::remove_all(path); }

    [[nodiscard]] std::string operator/(std::string const& name) const { return (path / name).string(); }
    void write(std::string const& name, std::string const& text) const { std::ofstream(path / name) << text; }
    // As it should be done.
    void replace(std::string const& name, std::string const& text) const
    {
        write(name + ".new", text);
        fs::rename(path / (name + ".new"), path / name);
    }
};

std::string document(std::string const& ids)
{
    std::string list;
    for (char const c : ids)
        list += std::string(list.empty() ? "" : ",") + R"({"id":")" + c + R"(","address":"10.0.0.1","port":80})";
    return R"({"services":{"web":[)" + list + "]}}";
}

struct scene {
    place dir;
    asio::io_context io;
    std::optional<weir::registry::watch> watch;

    void follow(file_options o)
    {
        o.watch.hold = 50ms;
        o.watch.backoff = weir::constant(10ms);
        watch.emplace(file(io.get_executor(), o).watch({"web"}));
    }
    bool until(std::function<bool()> const& so)
    {
        auto const end = std::chrono::steady_clock::now() + 5s;
        while (!so()) {
            io.restart();
            io.run_one_for(20ms);
            if (std::chrono::steady_clock::now() > end) return false;
        }
        return true;
    }
    std::string set() const
    {
        std::string ids;
        if (auto const s = watch->current())
            for (auto const& i : *s->instances) ids += i.id();
        return ids;
    }
    bool shows(std::string const& ids)
    {
        return until([&] { return watch->current() && set() == ids && watch->current()->from == origin::live; });
    }
    ~scene()
    {
        watch.reset();
        io.restart();
        io.run();  // nothing is left that would keep it
    }
};

listing read(std::string const& text, query const& q = {"web"})
{
    listing l;
    auto const ec = read_file_document(text, q, l);
    if (ec) l.note = "refused: " + l.note;
    CHECK((!ec || ec == make_error_code(errc::bad_document)));
    return l;
}

}  // namespace

TEST_CASE("file: an instance is an address and a port, in brief or with all that may be said of it")
{
    auto const l = read(R"({"made": "by hand", "services": {"web": [
        "10.0.0.7:8080", "[::1]:9",
        {"address": "b.example", "port": 1},
        {"id": "c", "address": "10.0.0.9", "port": 8081, "weight": 3, "zone": "z1", "state": "warning",
         "tags": ["y", "x"], "meta": {"version": "7", "zone": "other"}}], "other": ["10.0.0.1:1"]}})");
    CHECK(l.note.empty());
    REQUIRE(l.instances.size() == 4);
    CHECK(l.instances[0].id() == "web-10.0.0.7-8080");
    CHECK(l.instances[0].address.weight == 1);
    CHECK(l.instances[0].state == weir::registry::health::passing);
    CHECK(l.instances[1].address.host == "::1");
    CHECK(l.instances[2].id() == "web-b.example-1");
    auto const& c = l.instances[3];
    CHECK(c.id() == "c");
    CHECK(c.address.weight == 3);
    CHECK(c.address.zone == "z1");
    CHECK(c.state == weir::registry::health::warning);
    CHECK(c.tags == std::vector<std::string>{"x", "y"});
    CHECK(c.address.metadata.at("version") == "7");

    CHECK(read(R"({"services":{"web":[{"id":"c","address":"a","port":1,"tags":["x"]},"b:1"]}})", {"web", "x"})
              .instances.size() == 1);
    CHECK(read(R"({"services":{}})").note.empty());

    // What is written is read back as it was.
    auto const again = read(write_file_document("web", l.instances));
    CHECK(again.instances == l.instances);
    CHECK(again.skipped == 0);
    CHECK(write_file_document("web", again.instances) == write_file_document("web", l.instances));
}

TEST_CASE("file: a bad entry is left out and counted; a bad document is refused whole")
{
    for (auto const* entry : {"1", "{}", R"({"address":"a"})", R"({"port":1})", R"({"address":"a","port":0})", R"("a")",
                              R"("a:0")", R"("a:65536")", R"("::1:80")", R"({"address":"a","port":70000})",
                              R"({"address":"a","port":-1})", R"({"address":"a","port":1,"weight":-1})",
                              R"({"address":"a","port":1,"weigth":2})", R"({"address":"a","port":1,"state":"good"})",
                              R"({"address":"a","port":1,"tags":"x"})", R"({"address":"a","port":1,"tags":[1]})",
                              R"({"address":"a","port":1,"meta":{"x":1}})", R"({"id":"ok","address":"a","port":1})"}) {
        CAPTURE(entry);
        auto const l = read(R"({"services":{"web":[{"id":"ok","address":"b","port":2},)" + std::string(entry) + "]}}");
        CHECK(l.instances.size() == 1);
        CHECK(l.instances[0].address.host == "b");
        CHECK(l.skipped == 1);
        CHECK(l.note.starts_with("1 entries skipped; the first: "));
        if (entry != std::string_view(R"({"id":"ok","address":"a","port":1})")) {
            auto const all = read(R"({"services":{"web":[)" + std::string(entry) + "]}}");
            CHECK(all.note.starts_with("refused: none of 1 entries"));
        }
    }
    for (auto const* text : {"", "[]", "{}", R"({"services":[]})", R"({"services":{"web":{}}})",
                             R"({"services":{"web":[]}} x)", R"({"services":{"web":[],"web":[]}})", "nonsense"})
        CHECK(read(text).note.starts_with("refused: "));
    std::string const good = document("ab");
    for (std::size_t n = 0; n < good.size(); ++n) CHECK(read(good.substr(0, n)).note.starts_with("refused: "));
}

TEST_CASE("file: a watch sees the file replaced, written anew, and made, long before it would look again")
{
    scene s;
    s.dir.write("s.json", document("ab"));
    s.follow({.path = s.dir / "s.json", .poll = 1h});
    CHECK(s.shows("ab"));
    s.dir.replace("s.json", document("abc"));
    CHECK(s.shows("abc"));
    s.dir.write("s.json", document("bcd"));
    CHECK(s.shows("bcd"));
    auto const answers = s.watch->status().answers;
    s.dir.write("unrelated", "x");
    s.until([&] { return s.io.poll() == 0; });
    CHECK(s.watch->status().answers == answers);

    scene made;
    made.follow({.path = made.dir / "s.json", .poll = 1h});
    CHECK(made.until([&] { return made.watch->status().failures > 0; }));
    CHECK(made.watch->status().last_error == std::errc::no_such_file_or_directory);
    CHECK(made.watch->status().note.find("s.json") != std::string::npos);
    CHECK_FALSE(made.watch->current());
    made.dir.replace("s.json", document("a"));
    CHECK(made.shows("a"));
}

TEST_CASE("file: garbage, a file that is gone, and an emptied one take nothing away; what lasts is believed")
{
    scene s;
    s.dir.write("s.json", document("abc"));
    s.follow({.path = s.dir / "s.json"});
    CHECK(s.shows("abc"));
    auto const stale = [&] { return s.until([&] { return s.watch->current()->from == origin::stale; }); };
    s.dir.replace("s.json", document("abc").substr(0, 30));
    CHECK(stale());
    CHECK(s.set() == "abc");
    s.dir.replace("s.json", document("abd"));
    CHECK(s.shows("abd"));
    fs::remove(s.dir / "s.json");
    CHECK(stale());
    s.dir.replace("s.json", document("abe"));
    CHECK(s.shows("abe"));
    s.dir.replace("s.json", std::string(20'000'000, ' '));
    CHECK(stale());
    CHECK(s.watch->status().note.find("is larger than 8388608 bytes") != std::string::npos);
    s.dir.replace("s.json", document("abf"));
    CHECK(s.shows("abf"));
    fs::remove(s.dir / "s.json");
    fs::create_directory(s.dir / "s.json");
    CHECK(stale());
    fs::remove(s.dir / "s.json");

    s.dir.replace("s.json", document(""));
    CHECK(s.until([&] { return s.watch->status().held == 1; }));
    CHECK(s.set() == "abf");
    CHECK(s.shows(""));
}

TEST_CASE("file: a volume of Kubernetes is swapped by moving a link, and that is seen")
{
    scene s;
    fs::create_directory(s.dir / "..1");
    fs::create_directory(s.dir / "..2");
    s.dir.write("..1/s.json", document("a"));
    s.dir.write("..2/s.json", document("ab"));
    fs::create_directory_symlink("..1", s.dir / "..data");
    fs::create_symlink("..data/s.json", s.dir / "s.json");
    s.follow({.path = s.dir / "s.json", .poll = 1h});
    CHECK(s.shows("a"));
    fs::create_directory_symlink("..2", s.dir / "..data_tmp");
    fs::rename(s.dir / "..data_tmp", s.dir / "..data");
    fs::remove_all(s.dir / "..1");
    CHECK(s.shows("ab"));
}

TEST_CASE(
    "file: where nothing tells of changes, it is looked at now and then; a directory made anew is listened to again")
{
    scene s;
    // The file is elsewhere, and only the link's directory is listened to.
    fs::create_directory(s.dir / "here");
    fs::create_directory(s.dir / "there");
    s.dir.write("there/s.json", document("a"));
    fs::create_symlink(s.dir / "there/s.json", s.dir / "here/s.json");
    s.follow({.path = s.dir / "here/s.json", .poll = 20ms});
    CHECK(s.shows("a"));
    s.dir.replace("there/s.json", document("ab"));
    CHECK(s.shows("ab"));

    scene again;
    fs::create_directory(again.dir / "d");
    again.dir.write("d/s.json", document("a"));
    again.follow({.path = again.dir / "d/s.json", .poll = 1h});
    CHECK(again.shows("a"));
    fs::remove_all(again.dir / "d");
    CHECK(again.until([&] { return again.watch->current()->from == origin::stale; }));
    fs::create_directory(again.dir / "d");
    again.dir.write("d/s.json", document("ab"));
    CHECK(again.shows("ab"));
    again.dir.replace("d/s.json", document("abc"));
    CHECK(again.shows("abc"));
}
