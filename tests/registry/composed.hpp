// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/any_registry.hpp>
#include <weir/testing/virtual_time.hpp>

#include <registry/fake_registry.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::testing {

inline std::string ids(registry::watch const& w)
{
    std::string out;
    if (auto const s = w.current())
        for (auto const& i : *s->instances) out += i.id() + " ";
    return out;
}

/// Two registries that behave as told, in virtual time, to be composed.
struct composed {
    virtual_time world;
    fake_registry a{world.get_executor()}, b{world.get_executor()};

    /// A client of that registry, as those of real ones are made.
    [[nodiscard]] registry::any_registry source(fake_registry const& f)
    {
        return registry::detail::network_registry(world.get_executor(), {},
                                                  [f](asio::any_io_executor const&, duration) { return f; });
    }

    /// The ids found, or <why not>.
    [[nodiscard]] std::string resolve(registry::any_registry const& r)
    {
        std::string out = "nothing yet";
        r.async_resolve({"web"}, [&](boost::system::error_code ec, std::shared_ptr<registry::snapshot const> const& s) {
            out = ec ? "<" + ec.message() + ">" : "";
            if (!ec)
                for (auto const& i : *s->instances) out += i.id() + " ";
        });
        world.run_for(std::chrono::seconds(20));
        return out;
    }

    void listen(registry::watch& w, std::vector<registry::update>& told)
    {
        w.async_next([this, &w, &told](boost::system::error_code ec, registry::update u) {
            if (ec) return;
            told.push_back(std::move(u));
            listen(w, told);
        });
    }
};

}  // namespace weir::testing
