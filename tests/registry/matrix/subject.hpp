// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "support/fault_proxy.hpp"
#include "support/server_process.hpp"

#include <weir/registry/detail/network_registry.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::testing {

/// Never to be seen in what a registry client says of itself.
inline constexpr char const* canary = "canary-3f9c1a";

/// What one client publishes, for as long as this object lives.
class sight {
public:
    /// A version, and how much was in it.
    using told = std::function<void(std::uint64_t version, std::size_t count)>;

    virtual ~sight() = default;
    [[nodiscard]] virtual std::string last_words() const = 0;  ///< what the client says of its last trouble
    [[nodiscard]] virtual bool all_see(std::size_t) const { return true; }
};

/// A column of the fault matrix: a server, and clients that reach it through a proxy. What there is has the size four
/// at first, and is never less.
class column {
public:
    virtual ~column() = default;
    [[nodiscard]] virtual std::string name() const = 0;

    /// The server has the four.
    [[nodiscard]] virtual bool ready() { return true; }

    /// Where the server listens.
    [[nodiscard]] virtual boost::asio::ip::tcp::endpoint server() const = 0;

    /// A client of a server at this port of the loopback, with so many watchers, of which the first is listened to.
    [[nodiscard]] virtual std::unique_ptr<sight> look(asio::any_io_executor executor, std::uint16_t port, bool naive,
                                                      std::size_t watchers, sight::told told) = 0;

    /// A fifth is there, and nothing of the server's own is wrong any more.
    virtual void grow() = 0;

    /// What the proxies cannot do.
    virtual void strike() {}

    /// What is not as it should be with what the column has beside its clients, at the end.
    [[nodiscard]] virtual std::string complaint() const { return {}; }

    /// The faults for this kind of server.
    [[nodiscard]] virtual std::vector<fault> faults() const = 0;

    /// What takes away all, or three of the four, and is well made: what a naive client falls for.
    [[nodiscard]] virtual std::vector<fault> losses() const = 0;
};

/// A registry, with the instances web-1 to web-4 of the service "web".
class subject : public column {
public:
    using registry = weir::registry::detail::network_registry;

    /// With times short enough for a test, but a long patience with empty answers; `naive`: one that believes
    /// everything at once.
    [[nodiscard]] virtual registry reach(asio::any_io_executor executor, std::uint16_t port, bool naive) = 0;

    [[nodiscard]] std::unique_ptr<sight> look(asio::any_io_executor executor, std::uint16_t port, bool naive,
                                              std::size_t watchers, sight::told told) override;

    /// Takes the four instances of a service away, where the server does not do so itself when their TTL has passed.
    virtual void forget(std::string const& /*service*/) {}
};

using subjects = std::vector<std::shared_ptr<column>>;

/// Each adds what it has; a server that cannot be had is named in `missing`.
void add_consul(asio::io_context& io, subjects& all, std::vector<std::string>& missing);
void add_etcd(asio::io_context& io, subjects& all, std::vector<std::string>& missing);
void add_eureka(asio::io_context& io, subjects& all, std::vector<std::string>& missing);
void add_kubernetes(asio::io_context& io, subjects& all, std::vector<std::string>& missing);
void add_nacos(asio::io_context& io, subjects& all, std::vector<std::string>& missing);
void add_dns(asio::io_context& io, subjects& all, std::vector<std::string>& missing);
void add_zookeeper(asio::io_context& io, subjects& all, std::vector<std::string>& missing);
void add_tls(asio::io_context& io, subjects& all, std::vector<std::string>& missing);
void add_configuration(asio::io_context& io, subjects& all, std::vector<std::string>& missing);

/// What may happen to any connection.
[[nodiscard]] std::vector<fault> connection_faults();

/// And what may happen to one that speaks HTTP and JSON.
[[nodiscard]] std::vector<fault> http_faults();

/// A complete answer over HTTP.
[[nodiscard]] std::string http_answer(int status, std::string const& body, std::string const& headers = {});

/// Puts instance <service>-<number> there, and keeps it there.
class enrolment {
public:
    explicit enrolment(subject::registry where, std::string service = "web", duration ttl = std::chrono::seconds(60))
        : where_(std::move(where)), service_(std::move(service)), ttl_(ttl)
    {
    }
    void add(int number);

    /// All that were added are there.
    [[nodiscard]] bool complete() const;

    /// How many have been lost, and say that they are there again.
    [[nodiscard]] std::size_t restored() const;

private:
    subject::registry where_;
    std::string service_;
    duration ttl_;
    std::vector<std::shared_ptr<std::optional<weir::registry::lease>>> held_;
};

/// Registrations that are cut off from their server for longer than it keeps them: they have to be made again, and to
/// say so. The four are of another service than "web", or the subject has no others.
class lease_lost final : public column {
public:
    lease_lost(asio::io_context& io, std::shared_ptr<subject> of, std::string service)
        : of_(std::move(of)),
          service_(std::move(service)),
          gate_(io.get_executor(), of_->server()),
          there_(of_->reach(io.get_executor(), gate_.port(), false), service_, std::chrono::seconds(2))
    {
        for (int i = 1; i <= 4; ++i) there_.add(i);
    }

    std::string name() const override { return of_->name(); }
    bool ready() override { return there_.complete(); }
    boost::asio::ip::tcp::endpoint server() const override { return of_->server(); }
    std::unique_ptr<sight> look(asio::any_io_executor executor, std::uint16_t port, bool naive, std::size_t watchers,
                                sight::told told) override;
    void strike() override
    {
        gate_.set({.name = "cut off", .what = fault::kind::freeze});
        of_->forget(service_);
    }
    void grow() override
    {
        gate_.set({});
        there_.add(5);
    }
    std::string complaint() const override
    {
        auto const n = there_.restored();
        return n == 4 ? "" : "of four leases that were lost, " + std::to_string(n) + " said so and came back";
    }
    std::vector<fault> faults() const override { return {}; }
    std::vector<fault> losses() const override { return {{.name = "lease lost", .gradual = true}}; }

private:
    std::shared_ptr<subject> of_;
    std::string service_;
    fault_proxy gate_;
    enrolment there_;
};

/// Killed, and started with nothing that it knew.
template <class Subject>
class killed final : public Subject {
public:
    using Subject::Subject;
    void strike() override { this->lose_all(); }
    void grow() override { this->enrol(5); }
    std::vector<fault> faults() const override { return {}; }
    std::vector<fault> losses() const override { return {{"killed, back without its data"}}; }
};

/// A server of a kind that can be had: one that stays, its lost leases, and one that is killed.
template <class Subject, class... Args>
void add_real(asio::io_context& io, subjects& all, Args const&... args)
{
    auto const healthy = std::make_shared<Subject>(io, args...);
    all.push_back(healthy);
    all.push_back(std::make_shared<lease_lost>(io, healthy, "held"));
    all.push_back(std::make_shared<killed<Subject>>(io, args...));
}

/// The options of a watch under test.
[[nodiscard]] weir::registry::watch_options test_watch(bool naive);

/// Of a lease at a server that is still starting, or back: asks again soon.
[[nodiscard]] weir::registry::lease_options test_lease();

}  // namespace weir::testing
