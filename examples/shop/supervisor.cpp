// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Plays the story with one arm after the other and gives the verdict.
#include "consul_door.hpp"
#include "performance.hpp"
#include "report.hpp"
#include "roles.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/datagram_protocol.hpp>
#include <boost/asio/signal_set.hpp>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <signal.h>

namespace shop {

namespace {

// The asked port, or the next that nobody has. The order service opens it later; that shops which start at the same time
// do not choose the same one, each claims a name for its own until this object goes.
class front_port {
public:
    explicit front_port(std::uint16_t wanted)
    {
        for (std::uint32_t port = wanted; port <= 65535 && port < wanted + 100u; ++port) {
            try {
                claim_ = claim(context_, std::string(1, '\0') + "weir-shop-" + std::to_string(port));  // no file
                (void)listen(context_.get_executor(), static_cast<std::uint16_t>(port));
                if (port != wanted)
                    std::printf("Port %u is in use, so the order service listens on %u.\n", wanted, port);
                number_ = static_cast<std::uint16_t>(port);
                return;
            }
            catch (boost::system::system_error const&) {
            }
        }
        throw std::runtime_error("no free port from " + std::to_string(wanted) + " on; choose another with --port");
    }

    [[nodiscard]] std::uint16_t number() const noexcept { return number_; }

private:
    using claim = asio::local::datagram_protocol::socket;

    asio::io_context context_;
    claim claim_{context_};
    std::uint16_t number_ = 0;
};

// Says early what would otherwise be found out after a minute. A story that is broken off leaves no empty report.
void check_writable(std::string const& file)
{
    std::error_code ignored;
    bool const was_there = std::filesystem::exists(file, ignored);
    if (!std::ofstream(file, std::ios::app))
        throw std::runtime_error("cannot write the report to '" + file + "'; choose another file with --report");
    if (!was_there) std::filesystem::remove(file, ignored);
}

asio::awaitable<void> check_consul(registry_address const& consul)
{
    std::string wrong = "it does not answer like Consul";
    try {
        auto const answer = co_await ask(http::verb::get, consul.host, consul.port, "/v1/health/service/shop",
                                         std::chrono::seconds(3));
        if (answer.count("X-Consul-Index") > 0) co_return;
    }
    catch (boost::system::system_error const& e) {
        wrong = e.code().message();
    }
    throw std::runtime_error("cannot use the Consul at " + in_url(consul.host) + ":" + std::to_string(consul.port) + " (" +
                             wrong + "); start one with 'consul agent -dev', or leave --registry away");
}

struct interrupted {};

// Plays one or both arms. Whatever ends it, when it has ended so have all processes of the shop.
std::vector<record> play(options const& o, story const& s, screen& view, std::uint16_t front)
{
    asio::io_context context{1};
    auto const executor = context.get_executor();
    asio::signal_set signals{executor, SIGINT, SIGTERM, SIGHUP};
    signals.async_wait([](boost::system::error_code ec, int) {
        if (!ec) throw interrupted{};  // out of run(), and through the destructors that end the processes
    });
    std::optional<consul_door> door;
    if (o.registry_port == 0) door.emplace(executor);
    registry_address const registry{door ? "127.0.0.1" : o.registry_host, door ? door->port() : o.registry_port};
    relay cable{executor, registry.host, registry.port};

    std::vector<record> records;
    auto const all = [&]() -> asio::awaitable<void> {
        co_await check_consul(registry);
        for (auto const which : {arm::bare, arm::governed}) {
            if (which == arm::bare ? !o.bare : !o.governed) continue;
            performance p{executor, which, o, s, front, cable, registry, view};
            records.push_back(co_await p.play());
        }
        context.stop();
    };
    co_spawn(context, all(), [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
    });
    context.run();
    return records;
}

bool verdict(story const& s, std::vector<row> const& bare, std::vector<row> const& governed)
{
    bool good = true;
    for (auto const& r : governed) good = good && r.pass;
    // If the bare arm did not fail, the faults were none, and the governed arm has proved nothing.
    for (std::size_t i = 0; i < bare.size(); ++i) {
        auto const what = s.acts[i].what;
        bool const must_fail =
            what == fault::spike || what == fault::slow || what == fault::outage || what == fault::registry;
        if (must_fail && bare[i].pass) {
            std::printf("The bare arm was to fail in '%s' and did not: this run proves nothing.\n",
                        std::string(s.acts[i].name).c_str());
            good = false;
        }
    }
    if (!governed.empty())
        std::printf("\n%s\n", good ? "PASS: the governed shop kept serving through all of it."
                                   : "FAIL: see the reasons above.");
    return good;
}

}  // namespace

int run_story(options const& o)
{
    ::signal(SIGPIPE, SIG_IGN);
    check_writable(o.report);
    auto const s = make_story(o.fast);
    front_port const front{o.port};
    auto const url = "http://127.0.0.1:" + std::to_string(front.number()) + "/order/42";
    std::printf("The story is played %s: about %.0f s. While it runs, try  curl %s\n",
                o.bare && o.governed ? "twice, bare and then governed" : o.bare ? "once, bare" : "once, governed",
                (s.length() + 0.5) * (o.bare + o.governed), url.c_str());

    std::vector<record> records;
    screen view{is_terminal() && !o.plain, wants_colours() && !o.plain, s, o.seed};
    try {
        records = play(o, s, view, front.number());
    }
    catch (interrupted) {
        view.close();
        std::printf("Stopped. No process is left behind.\n");
        return 130;
    }
    view.close();

    std::vector<row> bare, governed;
    for (auto const& r : records) (r.which == arm::bare ? bare : governed) = score(s, r);
    view.table(bare, governed);
    bool const good = verdict(s, bare, governed);
    write_report(o.report, s, o.seed, records);
    std::printf("Report with the curves: %s\n", o.report.c_str());
    return good ? 0 : 1;
}

}  // namespace shop
