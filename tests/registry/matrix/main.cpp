// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The fault matrix: every registry under every fault, many at the same time, each cell with a proxy and a client of its
// own. While a fault lasts, and after it, what the client publishes
//   - never becomes empty and never loses more than half: the registry has four instances all the time;
//   - never goes back in version;
//   - never says a secret;
// and when the fault is over, the client soon sees a fifth instance. A naive client, which believes every answer, must
// be seen to fall for the answers that take instances away, or the cells would prove nothing.
//
// fault_matrix [--every N]: each Nth cell only, where hundreds of clients are too much for one thread (sanitizers).
// Exit status: 0 all as it should be, 1 not, 77 a server is missing.
#include "subject.hpp"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
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
    cell(asio::io_context& io, column& c, fault f, bool naive)
        : fault_(std::move(f)),
          column_(c),
          proxy_(io.get_executor(), c.server(), fault_.at_start ? fault_ : fault{}),
          sight_(c.look(io.get_executor(), proxy_.port(), naive, fault_.watchers,
                        [this](std::uint64_t version, std::size_t n) { take(version, n); }))
    {
    }
    cell(cell const&) = delete;

    void begin()
    {
        if (most_ != 4 && !fault_.at_start) complain("did not see the four before");
        proxy_.set(fault_);
    }
    void heal()
    {
        if (!met()) complain("never met the fault");
        listen();
        proxy_.set({});
    }
    [[nodiscard]] bool filled() const { return most_ >= 4 || fault_.at_start; }
    [[nodiscard]] bool met() const { return proxy_.done() > 0 || !known_here(); }
    [[nodiscard]] bool grown() const { return now_ == 5 && sight_->all_see(5) && column_.complaint().empty(); }
    void end()
    {
        if (auto why = column_.complaint(); !why.empty()) complain(std::move(why));
        if (!grown()) complain("ended with " + std::to_string(now_) + ", " + sight_->last_words());
        // All the watchers of one registry share one conversation.
        if (fault_.watchers > 1 && proxy_.connections() > fault_.watchers / 2)
            complain("a herd: " + std::to_string(proxy_.connections()) + " connections");
        ended_ = true;
    }
    [[nodiscard]] std::string const& wrong() const { return wrong_; }
    [[nodiscard]] bool harmed() const { return harmed_; }
    [[nodiscard]] std::string const& name() const { return fault_.name; }

private:
    [[nodiscard]] bool known_here() const
    {
        return fault_.what != fault::kind::refuse && fault_.what != fault::kind::none;
    }
    void take(std::uint64_t version, std::size_t n)
    {
        if (ended_) return;
        if (version <= version_) complain("went back in version");
        version_ = version;
        // One after the other is said more than once; still, they may not all go.
        auto const before = fault_.gradual ? now_ : most_;
        bool const loss = n == 0 || 2 * n < before;
        if (loss) complain("lost " + std::to_string(before - n) + " of " + std::to_string(before));
        harmed_ = harmed_ || loss;
        if (n > 5) complain("published " + std::to_string(n));
        listen();
        now_ = n;
        most_ = std::max(most_, n);
    }
    // The first set may come before there is anything to ask.
    void listen()
    {
        if (auto const said = sight_ ? sight_->last_words() : ""; said.find(canary) != std::string::npos)
            complain("told a secret: " + said);
    }
    void complain(std::string what)
    {
        if (wrong_.empty()) wrong_ = std::move(what);
    }

    fault fault_;
    column const& column_;
    fault_proxy proxy_;
    std::uint64_t version_ = 0;
    std::size_t now_ = 0, most_ = 0;
    std::string wrong_;
    bool harmed_ = false, ended_ = false;
    std::unique_ptr<sight> sight_;  // last: it tells
};

void run_until(asio::io_context& io, weir::duration limit, std::function<bool()> const& done)
{
    auto const end = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < end) io.run_for(10ms);
}

struct row {
    column* of;
    std::vector<std::unique_ptr<cell>> cells, naive;
};

// Begins each nth of the cells of this column, counted on from the columns before. How many there are now.
std::size_t open(asio::io_context& io, row& r, int nth, int& counted)
{
    // Not all at once: the contract servers are in this thread, too.
    auto const one = [&](auto& into, fault const& f, bool naive) {
        into.push_back(std::make_unique<cell>(io, *r.of, f, naive));
        io.poll();
    };
    for (auto const& f : r.of->faults())
        if (counted++ % nth == 0) one(r.cells, f, false);
    for (auto const& f : r.of->losses()) {
        if (counted++ % nth != 0) continue;
        one(r.cells, f, false);
        one(r.naive, f, true);
    }
    return r.cells.size() + r.naive.size();
}

// The faults come, and go.
void play(asio::io_context& io, std::vector<row>& rows)
{
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
    run_until(io, 60s, [&] { return every([](cell const& c) { return c.filled(); }); });
    each([](cell& c) { c.begin(); });
    for (auto& r : rows) r.of->strike();
    auto const lasts = std::chrono::steady_clock::now() + 4s;
    run_until(io, 60s, [&] {
        return std::chrono::steady_clock::now() >= lasts && every([](cell const& c) { return c.met(); }) &&
               std::all_of(rows.begin(), rows.end(), [](row const& r) {
                   return std::all_of(r.naive.begin(), r.naive.end(), [](auto const& c) { return c->harmed(); });
               });
    });
    for (auto& r : rows) r.of->grow();
    each([](cell& c) { c.heal(); });
    run_until(io, 60s, [&] { return every([](cell const& c) { return c.grown(); }); });
    each([](cell& c) { c.end(); });
}

}  // namespace

int main(int argc, char** argv)
{
    int const nth = argc == 3 && argv[1] == std::string("--every") ? std::atoi(argv[2]) : argc == 1 ? 1 : 0;
    if (nth < 1) {
        std::fprintf(stderr, "usage: fault_matrix [--every N], N from 1\n");
        return 2;
    }
    asio::io_context io;
    subjects all;
    std::vector<std::string> missing;
    for (auto const add : {add_consul, add_etcd, add_kubernetes, add_nacos, add_eureka, add_dns, add_zookeeper, add_tls,
                           add_configuration})
        add(io, all, missing);
    for (auto const& m : missing) std::printf("SKIPPED: no %s\n", m.c_str());
    if (all.empty()) return 77;

    // All of these end when what they wait for has come; the limits are for a machine with much else to do.
    run_until(io, 60s, [&] { return std::all_of(all.begin(), all.end(), [](auto const& s) { return s->ready(); }); });

    std::size_t passed = 0, failed = 0;
    int cells = 0;
    std::vector<std::string> names, columns, wrong;
    std::map<std::string, std::map<std::string, std::string>> table;
    auto const note = [&](column const& of, cell const& c, std::string const& why) {
        ++(why.empty() ? passed : failed);
        if (!why.empty()) wrong.push_back(of.name() + ", " + c.name() + ": " + why);
    };
    // A few columns at a time, or one thread has too much to do for clients and their servers to keep their times.
    for (auto next = all.begin(); next != all.end();) {
        std::vector<row> rows;
        for (std::size_t begun = 0; next != all.end() && begun < 150; ++next) {
            rows.push_back({next->get(), {}, {}});
            begun += open(io, rows.back(), nth, cells);
        }
        play(io, rows);
        for (auto const& r : rows) {
            // One of several servers of a kind is one.
            if (std::find(columns.begin(), columns.end(), r.of->name()) == columns.end())
                columns.push_back(r.of->name());
            for (auto const& c : r.cells) {
                if (std::find(names.begin(), names.end(), c->name()) == names.end()) names.push_back(c->name());
                table[c->name()][r.of->name()] = c->wrong().empty() ? "ok" : "FAILED";
                note(*r.of, *c, c->wrong());
            }
            for (auto const& c : r.naive)
                if (!c->harmed()) note(*r.of, *c, "a naive client was not harmed, so the cell proves nothing");
        }
        rows.clear();  // the clients end, and leave nothing behind
    }
    std::printf("%-30s", "");
    for (auto const& c : columns) std::printf("  %-10s", c.c_str());
    std::printf("\n");
    for (auto const& n : names) {
        std::printf("%-30s", n.c_str());
        for (auto const& c : columns) std::printf("  %-10s", table[n][c].c_str());
        std::printf("\n");
    }
    for (auto const& w : wrong) std::printf("FAILED: %s\n", w.c_str());
    std::printf("%zu cells passed, %zu failed, of %d\n", passed, failed, cells);
    run_until(io, 1s, [] { return false; });
    return failed ? 1 : missing.empty() ? 0 : 77;
}
