// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The fault matrix: every registry under every fault, all at the same time, each cell with a proxy and a client of its
// own. While a fault lasts, and after it, what the client publishes
//   - never becomes empty and never loses more than half: the registry has four instances all the time;
//   - never goes back in version;
//   - never says a secret;
// and when the fault is over, the client soon sees a fifth instance. A naive client, which believes every answer, must be
// seen to fall for the answers that take instances away, or the cells would prove nothing.
// Exit status: 0 all as it should be, 1 not, 77 a server is missing.
#include "subject.hpp"

#include <weir/async/timer.hpp>
#include <weir/registry/watch.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace weir::testing;
namespace asio = boost::asio;

namespace {

/// One registry under one fault.
class cell {
public:
    cell(asio::io_context& io, subject& s, fault f, bool naive)
        : fault_(std::move(f)),
          proxy_(io.get_executor(), s.server(), fault_.at_start ? fault_ : fault{}),
          watch_(s.reach(io.get_executor(), proxy_.port(), naive).watch({.service = "web"}))
    {
        listen();
    }
    cell(cell const&) = delete;

    void begin()
    {
        if (most_ != 4 && !fault_.at_start) complain("did not see the four before");
        proxy_.set(fault_);
    }
    void heal()
    {
        if (proxy_.done() == 0 && fault_.what != fault::kind::refuse) complain("never met the fault");
        proxy_.set({});
    }
    [[nodiscard]] bool filled() const { return most_ >= 4 || fault_.at_start; }
    [[nodiscard]] bool grown() const { return now_ == 5; }
    void end()
    {
        auto const s = watch_.status();
        if (!grown())
            complain("ended with " + std::to_string(now_) + ", " + s.last_error.message() +
                     (s.note.empty() ? "" : " (" + s.note + ")"));
        listening_ = false;
    }
    [[nodiscard]] std::string const& wrong() const { return wrong_; }
    [[nodiscard]] std::string const& name() const { return fault_.name; }

private:
    void listen()
    {
        watch_.async_next([this](boost::system::error_code ec, weir::registry::update const& u) {
            if (ec || !listening_) return;
            auto const n = u.now->instances->size();
            if (u.now->version <= version_) complain("went back in version");
            version_ = u.now->version;
            if (n == 0) complain("published nothing");
            if (2 * n < most_) complain("lost " + std::to_string(most_ - n) + " of " + std::to_string(most_));
            if (n > 5) complain("published " + std::to_string(n));
            auto const s = watch_.status();
            if ((s.note + s.last_error.message()).find(canary) != std::string::npos)
                complain("told a secret: " + s.note);
            now_ = n;
            most_ = std::max(most_, n);
            listen();
        });
    }
    void complain(std::string what)
    {
        if (wrong_.empty()) wrong_ = std::move(what);
    }

    fault fault_;
    fault_proxy proxy_;
    weir::registry::watch watch_;
    std::uint64_t version_ = 0;
    std::size_t now_ = 0, most_ = 0;
    std::string wrong_;
    bool listening_ = true;
};

void run_until(asio::io_context& io, weir::duration limit, std::function<bool()> const& done)
{
    auto const end = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < end) io.run_for(10ms);
}

}  // namespace

int main()
{
    asio::io_context io;
    subjects all;
    std::vector<std::string> missing;
    for (auto const add : {add_consul, add_etcd, add_kubernetes, add_nacos, add_eureka}) add(io, all, missing);
    for (auto const& m : missing) std::printf("SKIPPED: no %s\n", m.c_str());
    if (all.empty()) return 77;

    struct row {
        subject* of;
        std::vector<std::unique_ptr<cell>> cells, naive;
    };
    std::vector<row> rows;
    for (auto const& s : all) rows.push_back({s.get(), {}, {}});
    run_until(io, 3s, [] { return false; });  // the servers start
    for (auto& r : rows) {
        for (auto const& f : r.of->faults()) r.cells.push_back(std::make_unique<cell>(io, *r.of, f, false));
        for (auto const& f : r.of->losses()) {
            r.cells.push_back(std::make_unique<cell>(io, *r.of, f, false));
            r.naive.push_back(std::make_unique<cell>(io, *r.of, f, true));
        }
    }
    auto const each = [&](auto f) {
        for (auto& r : rows) {
            for (auto& c : r.cells) f(*c);
            for (auto& c : r.naive) f(*c);
        }
    };
    auto const every = [&](auto is) {
        bool yes = true;
        each([&](cell const& c) { yes = yes && is(c); });
        return yes;
    };
    run_until(io, 15s, [&] { return every([](cell const& c) { return c.filled(); }); });
    each([](cell& c) { c.begin(); });
    run_until(io, 3s, [] { return false; });
    for (auto& r : rows) r.of->grow();
    each([](cell& c) { c.heal(); });
    run_until(io, 20s, [&] { return every([](cell const& c) { return c.grown(); }); });
    each([](cell& c) { c.end(); });

    std::size_t passed = 0, failed = 0;
    std::vector<std::string> names;
    std::map<std::string, std::map<std::string, std::string>> table;
    for (auto const& r : rows) {
        for (auto const& c : r.cells) {
            if (std::find(names.begin(), names.end(), c->name()) == names.end()) names.push_back(c->name());
            table[c->name()][r.of->name()] = c->wrong().empty() ? "ok" : "FAILED";
            ++(c->wrong().empty() ? passed : failed);
        }
    }
    std::printf("%-28s", "");
    for (auto const& r : rows) std::printf("  %-12s", r.of->name().c_str());
    std::printf("\n");
    for (auto const& n : names) {
        std::printf("%-28s", n.c_str());
        for (auto const& r : rows) std::printf("  %-12s", table[n][r.of->name()].c_str());
        std::printf("\n");
    }
    for (auto const& r : rows) {
        for (auto const& c : r.cells)
            if (!c->wrong().empty())
                std::printf("FAILED: %s, %s: %s\n", r.of->name().c_str(), c->name().c_str(), c->wrong().c_str());
        for (auto const& c : r.naive)
            if (c->wrong().empty()) {
                std::printf("FAILED: %s, %s: a naive client was not harmed, so the cell proves nothing\n",
                            r.of->name().c_str(), c->name().c_str());
                ++failed;
            }
    }
    std::printf("%zu cells passed, %zu failed\n", passed, failed);
    return failed ? 1 : missing.empty() ? 0 : 77;
}
