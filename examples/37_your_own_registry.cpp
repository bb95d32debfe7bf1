// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A registry that weir does not know: write how it is asked, twenty lines, and the watcher brings the rest. Here it is
// a table in a database, which can only be asked again and again. That a failure is no empty set, that a sudden
// emptiness is doubted but a lasting one believed, the pauses and the time limits: none of it is in the backend.
//
// Expected output:
//      5 s  three machines           a b c  live
//     60 s  the database is down     a b c  stale
//     70 s  it is back, c is gone    a b    live
//     75 s  a migration empties it   a b    stale
//     80 s  which is undone          a b    live
//     85 s  the service is retired   a b    stale
//     95 s  and that is believed            live
//   a dashboard reads: stock_connected 1

#include <weir/async/timer.hpp>
#include <weir/registry/watcher.hpp>
#include <weir/telemetry/prometheus.hpp>
#include <weir/testing/virtual_time.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace registry = weir::registry;

namespace {

struct database {
    bool up = true;
    std::vector<std::string> machines;
};

/// What a watcher needs (weir/registry/watch_backend.hpp): everything now, and everything once it may have changed.
class machine_table {
public:
    machine_table(asio::any_io_executor e, database const& d) : clock_(std::make_unique<weir::timer>(e)), database_(&d)
    {
    }

    void async_list(registry::query const& q, registry::listing_handler done) { ask(0s, q, std::move(done)); }

    /// Nobody tells us of changes: look again in two seconds.
    void async_await_change(registry::query const& q, std::string const&, registry::listing_handler done)
    {
        ask(2s, q, std::move(done));
    }

private:
    void ask(weir::duration pause, registry::query const& q, registry::listing_handler done)
    {
        auto const slot = done.get_cancellation_slot();
        auto answer = [d = database_, &q, done = std::move(done)](boost::system::error_code ec) mutable {
            if (!ec && !d->up) ec = asio::error::connection_refused;
            registry::listing all{.revision = "none"};
            if (!ec)
                for (auto const& id : d->machines)
                    all.instances.push_back({{.id = id, .host = id + ".internal", .port = 80}, q.service, {}});
            done(ec, std::move(all));
        };
        clock_->async_wait_for(pause, asio::bind_cancellation_slot(slot, std::move(answer)));
    }

    std::unique_ptr<weir::timer> clock_;
    database const* database_;
};

}  // namespace

int main()
{
    weir::testing::virtual_time world;
    database rows{.machines = {"a", "b", "c"}};

    registry::watcher const watcher(world.get_executor(), machine_table(world.get_executor(), rows), {"stock"},
                                    {.hold = 10s, .backoff = weir::exponential(100ms, 2s)});
    auto const watch = watcher.subscribe();

    auto const start = world.now();
    auto const show = [&](weir::duration when, char const* what) {
        world.run_until(start + when);
        std::string set;
        for (auto const& i : *watch.current()->instances) set += i.id() + " ";
        std::printf("%4d s  %-23s  %-7s%s\n", static_cast<int>(when / 1s), what, set.c_str(),
                    watch.current()->from == registry::origin::live ? "live" : "stale");
    };
    show(5s, "three machines");
    rows.up = false;
    show(60s, "the database is down");
    rows = {.machines = {"a", "b"}};
    show(70s, "it is back, c is gone");
    rows.machines.clear();
    show(75s, "a migration empties it");
    rows.machines = {"a", "b"};
    show(80s, "which is undone");
    rows.machines.clear();
    show(85s, "the service is retired");
    show(95s, "and that is believed");

    // The age of what is known, how often asking failed and so on: a page for Prometheus, made anew each time it asks.
    weir::telemetry::prometheus page;
    page.add("stock", watch.status(), world.now());
    auto const text = page.text();
    auto const line = text.find("\nstock_connected ") + 1;
    std::printf("a dashboard reads: %s\n", text.substr(line, text.find('\n', line) - line).c_str());
}
