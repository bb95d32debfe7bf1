// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "subject.hpp"

#include <weir/registry/detail/zookeeper_document.hpp>
#include <weir/registry/detail/zookeeper_frames.hpp>
#include <weir/registry/zookeeper.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace weir::testing {
namespace {

/// A ZooKeeper as a function from frames to frames.
struct fake_zookeeper {
    std::vector<std::string> children = {};
    std::int32_t granted_ms = 1000;  // 0: there is no such session
    std::int32_t xid_off = 0;
    std::int64_t zxid = 0;
    std::int32_t error = 0, auth_error = 0;  // of each answer
    std::string body = {};                   // instead of each answer's
    std::string before = {};                 // a frame that comes before each answer
    std::string data = {};                   // instead of an instance's

    std::string operator()(std::string_view asked) const
    {
        std::string out;
        weir::registry::detail::zk_splitter frames;
        frames.push(asked);
        while (auto const f = frames.next()) out += answer(*f);
        return out;
    }

    static std::string reply(std::int32_t xid, std::int64_t zxid, std::int32_t error, std::string const& body)
    {
        auto whole = weir::registry::detail::zk_writer().i32(xid).i64(zxid).i32(error);
        return framed(bare(whole) + body);
    }
    static std::string framed(std::string const& frame)
    {
        return weir::registry::detail::zk_writer().text(frame).frame().substr(4);
    }

private:
    // What was written, without a length.
    static std::string bare(weir::registry::detail::zk_writer const& w) { return w.frame().substr(4); }

    std::string answer(std::string_view frame) const
    {
        using namespace weir::registry::detail;
        zk_reader in(frame);
        auto const xid = in.i32();
        if (xid == 0) return zk_writer().i32(0).i32(granted_ms).i64(7).text(std::string(16, 'p')).flag(false).frame();
        if (xid < 0) return reply(xid, zxid, xid == -4 ? auth_error : 0, {});
        auto const op = static_cast<zk_op>(in.i32());
        std::string const path(in.text()), stat(68, '\0');
        auto said = body;
        if (body.empty() && error == 0 && op == zk_op::get_children) {
            zk_writer names;
            names.i32(static_cast<std::int32_t>(children.size()));
            for (auto const& c : children) names.text(c);
            said = bare(names) + stat;
        } else if (body.empty() && error == 0 && op == zk_op::get_data) {
            auto const i = path.substr(path.rfind('-') + 1);
            auto const written =
                R"({"name":"web","id":"web-)" + i + R"(","address":"10.0.0.)" + i + R"(","port":8080})";
            said = bare(zk_writer().text(data.empty() ? written : data)) + stat;
        }
        return before + reply(xid + xid_off, zxid, error, said);
    }
};

class zookeeper_subject : public subject {
public:
    zookeeper_subject(asio::io_context& io, std::string const& java, std::string const& class_path)
        : io_(io),
          port_(free_ports(1).front()),
          process_({java, "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", class_path,
                    "org.apache.zookeeper.server.quorum.QuorumPeerMain", settings()},
                   home_.path() / "log")
    {
        process_.start();
        enrol(4);
    }

    std::string name() const override { return "ZooKeeper"; }
    boost::asio::ip::tcp::endpoint server() const override
    {
        return {asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::stoi(port_))};
    }
    registry reach(asio::any_io_executor executor, std::uint16_t port, bool naive) override
    {
        auto watch = test_watch(naive);
        watch.list_timeout = 2s;  // a session that is gone is noticed, and replaced, within one question
        return weir::registry::zookeeper(executor, {.url = "zk://127.0.0.1:" + std::to_string(port),
                                                    .user = "shop",
                                                    .password = weir::registry::secret(canary),
                                                    .session = 1s,
                                                    .wait = 1s,
                                                    .connect_timeout = 1s,
                                                    .timeout = 500ms,
                                                    .watch = watch,
                                                    .lease = test_lease()});
    }
    bool ready() override { return there_->complete(); }
    void grow() override { there_->add(5); }
    std::vector<fault> faults() const override
    {
        auto all = connection_faults();
        auto const says = [&](std::string what, std::string text) {
            all.push_back({std::move(what), fault::kind::answer, 0, std::move(text)});
        };
        auto const plays = [&](std::string what, fake_zookeeper f) {
            all.push_back({.name = std::move(what), .what = fault::kind::answer, .reply = f});
        };
        using weir::registry::detail::zk_writer;
        says("length negative", "\xff\xff\xff\xff");
        says("length huge", "\x7f\xff\xff\xff");
        says("length 0", std::string(4, '\0'));
        says("greeting too short", fake_zookeeper::framed("zookeeper"));
        says("another version", zk_writer().i32(9).i32(1000).i64(7).text("p").flag(false).frame());
        says("session time negative", zk_writer().i32(0).i32(-5).i64(7).text("p").flag(false).frame());
        plays("session expired", {.granted_ms = 0});
        plays("session expired, later", {.error = -112});
        plays("unknown xid", {.children = four, .xid_off = 1000});
        plays("xid before", {.children = four, .xid_off = -1});
        plays("zxid of the future", {.children = four, .zxid = 0x7fff'ffff'ffff});
        plays("permission denied", {.error = -102});
        plays("auth failed", {.auth_error = -115});
        plays("connection loss, it says", {.error = -4});
        plays("error unknown", {.error = -9999});
        plays("not read-write", {.error = -119});
        plays("garbage jute", {.body = std::string(100, '\xa7')});
        plays("empty bodies", {.body = std::string(1, '\0')});
        plays("children beyond count", {.body = std::string("\0\0\0\4\0\0\0\1a", 9) + std::string(68, '\0')});
        plays("children count huge", {.body = "\x7f\xff\xff\xff" + std::string(68, '\0')});
        plays("children count negative", {.body = "\x80" + std::string(71, '\0')});
        plays("nodes that are no instances", {.children = four, .data = "10.0.0.1"});
        plays("nodes of a depth bomb", {.children = four, .data = std::string(10000, '[')});
        plays("nodes of port 0", {.children = four, .data = R"({"address":"10.0.0.1","port":0})"});
        plays("events for nobody", {.children = four, .before = event(3, "/elsewhere/web")});
        plays("events that are none", {.children = four, .before = fake_zookeeper::reply(-1, 0, 0, "xyz")});
        return all;
    }
    std::vector<fault> losses() const override
    {
        return {{.name = "empty list", .what = fault::kind::answer, .reply = fake_zookeeper{}},
                {.name = "no such node", .what = fault::kind::answer, .reply = fake_zookeeper{.error = -101}},
                {.name = "three of four lost",
                 .what = fault::kind::answer,
                 .reply = fake_zookeeper{.children = {"web-1"}}}};
    }

protected:
    void enrol(int count)
    {
        there_ = std::make_unique<enrolment>(
            weir::registry::zookeeper(io_.get_executor(), {.url = "zk://127.0.0.1:" + port_, .lease = test_lease()}));
        for (int i = 1; i <= count; ++i) there_->add(i);
    }
    void lose_all()
    {
        process_.stop(SIGKILL);
        there_.reset();
        std::filesystem::remove_all(home_.path() / "data");
        process_.start();
    }

private:
    inline static std::vector<std::string> const four = {"web-1", "web-2", "web-3", "web-4"};

    static std::string event(std::int32_t type, std::string const& path)
    {
        auto const body = weir::registry::detail::zk_writer().i32(type).i32(3).text(path).frame().substr(4);
        return fake_zookeeper::reply(-1, -1, 0, body);
    }
    std::string settings() const
    {
        auto const file = (home_.path() / "zoo.cfg").string();
        std::ofstream(file) << "tickTime=500\ndataDir=" << (home_.path() / "data").string() << "\nclientPort=" << port_
                            << "\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n"
                               "minSessionTimeout=1000\nmaxSessionTimeout=90000\n";
        return file;
    }

    asio::io_context& io_;
    temporary_directory home_;
    std::string port_;
    server_process process_;
    std::unique_ptr<enrolment> there_;
};

}  // namespace

void add_zookeeper(asio::io_context& io, subjects& all, std::vector<std::string>& missing)
{
    auto const java = find_program("WEIR_JAVA", "java");
    std::string class_path = std::filesystem::exists("/usr/share/java/zookeeper.jar") ? "/usr/share/java/*" : "";
    if (char const* const given = std::getenv("WEIR_ZOOKEEPER"); given && *given) class_path = given;
    if (java.empty() || class_path.empty())
        return missing.push_back("ZooKeeper (Debian: zookeeper and a JRE; or WEIR_ZOOKEEPER, a class path)");
    add_real<zookeeper_subject>(io, all, java, class_path);
}

}  // namespace weir::testing
