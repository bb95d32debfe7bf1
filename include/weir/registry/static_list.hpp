// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/answer.hpp>
#include <weir/registry/detail/bell.hpp>
#include <weir/registry/detail/network_registry.hpp>
#include <weir/registry/detail/registry_url.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::registry {

/// Options of registry::static_list.
struct static_list_options {
    /// `static://host:port[,host:port...][?service=name]`; empty: `endpoints` says it.
    std::string url = {};
    std::vector<endpoint> endpoints = {};
    std::string service = {};  ///< which service these are; empty: any that is asked for

    /// With what the URL says in the fields. Throws: std::invalid_argument, with a sentence that says what is wrong.
    [[nodiscard]] static_list_options checked() const;
};

/// Endpoints that are known and stay: where there is no registry, for tests, and as the last resort of first_of. A
/// service that it does not know has no instances.
///
///   weir::registry::static_list registry(io.get_executor(), {.url = "static://10.0.0.7:8080,10.0.0.8:8080"});
///
/// Throws:    std::invalid_argument.   Threads: any.
/// Members:   async_resolve, watch: see detail/network_registry.hpp. Nothing can be registered.
/// Seen in:   examples/34_registries_by_url.cpp
class static_list : public detail::network_registry {
public:
    using options = static_list_options;
    static constexpr std::string_view scheme = "static";

    explicit static_list(executor_type executor, options const& o)
        : static_list(std::make_shared<options const>(o.checked()), std::move(executor))
    {
    }

private:
    static_list(std::shared_ptr<options const> const& o, executor_type executor);
};

// Bodies

inline static_list_options static_list_options::checked() const
{
    auto o = *this;
    if (!url.empty()) {
        auto const u = detail::registry_url::parse(url, {.scheme = "static",
                                                         .example = "static://10.0.0.7:8080,10.0.0.8:8080",
                                                         .parameters = {"service"},
                                                         .http = false});
        if (!u.path.empty()) u.refuse("it must have no path");
        o.endpoints = u.servers;
        o.service = u.text("service", o.service);
    }
    for (auto const& e : o.endpoints)
        if (e.id.empty() || e.host.empty() || e.port == 0)
            throw std::invalid_argument("weir: static_list_options.endpoints must each have an id, a host and a port");
    return o;
}

namespace detail {

/// A watch_backend whose answer is always the same.
struct static_session {
    asio::any_io_executor strand;
    std::shared_ptr<static_list_options const> options;

    [[nodiscard]] listing all(query const& q) const
    {
        listing l;
        l.revision = "1";
        for (auto const& e : options->endpoints) {
            instance i{.address = e, .service = options->service.empty() ? q.service : options->service, .tags = {}};
            if (q.matches(i)) l.instances.push_back(std::move(i));
        }
        return l;
    }

    void async_list(query const& q, listing_handler done)
    {
        async_answer<listing>(
            strand, [l = all(q)] { return std::tuple(boost::system::error_code(), l); }, std::move(done));
    }

    void async_await_change(query const& q, std::string const&, listing_handler done)
    {
        auto const quiet = std::make_shared<weir::timer>(strand);
        asio::async_compose<listing_handler, void(boost::system::error_code, listing)>(
            [quiet, l = all(q), started = false](auto& self, boost::system::error_code ec = {}) mutable {
                auto const keep = quiet;
                if (std::exchange(started, true)) return self.complete(ec, std::move(l));
                self.reset_cancellation_state(asio::enable_total_cancellation());
                keep->async_wait_for(std::chrono::minutes(1), std::move(self));
            },
            done, strand);
    }
};

}  // namespace detail

inline static_list::static_list(std::shared_ptr<options const> const& o, executor_type executor)
    : network_registry(std::move(executor), {}, [o](executor_type const& strand, duration) {
          return detail::static_session{strand, o};
      })
{
}

}  // namespace weir::registry
