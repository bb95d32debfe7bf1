// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/erased_handler.hpp>
#include <weir/registry/concepts.hpp>
#include <weir/registry/detail/answer.hpp>
#include <weir/registry/detail/network_registry.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir::registry {

/// A registry of whatever kind: what `open` gives for a URL, and what code takes that does not care. A service_registry
/// itself; a system that takes no registrations answers them with std::errc::operation_not_supported.
///
/// Threads: as the registry inside; all of weir's may be used from any.   Cost: copies share the registry.
/// Seen in: examples/34_registries_by_url.cpp
class any_registry {
public:
    using executor_type = asio::any_io_executor;
    using default_token = asio::default_completion_token_t<executor_type>;
    using found = std::shared_ptr<snapshot const>;

    template <discovery Registry>
        requires(!std::same_as<std::decay_t<Registry>, any_registry>)
    explicit(false) any_registry(Registry r);

    [[nodiscard]] executor_type get_executor() const noexcept { return held_->executor; }

    /// Whether instances can be registered here.
    [[nodiscard]] bool registers() const noexcept { return held_->registers; }

    /// Signature: void(error_code, lease). Throws std::invalid_argument naming the field of `registration`.
    template <class Token = default_token>
    auto async_register(registration r, Token&& token = Token()) const
    {
        return asio::async_initiate<Token, void(boost::system::error_code, lease)>(
            [h = held_](auto handler, registration what) {
                h->enroll(std::move(what), lease_handler(std::move(handler), h->executor));
            },
            token, checked(std::move(r)));
    }

    /// Signature: void(boost::system::error_code).
    template <class Token = default_token>
    auto async_deregister(registration r, Token&& token = Token()) const
    {
        return asio::async_initiate<Token, void(boost::system::error_code)>(
            [h = held_](auto handler, registration what) {
                h->take_out(std::move(what), done_handler(std::move(handler), h->executor));
            },
            token, std::move(r));
    }
    template <class Token = default_token>
    auto async_deregister(std::string id, Token&& token = Token()) const
    {
        registration r;
        r.id = std::move(id);
        return async_deregister(std::move(r), std::forward<Token>(token));
    }

    /// Signature: void(boost::system::error_code, std::shared_ptr<snapshot const>).
    template <class Token = default_token>
    auto async_resolve(query q, Token&& token = Token()) const
    {
        return asio::async_initiate<Token, void(boost::system::error_code, found)>(
            [h = held_](auto handler, query what) {
                h->resolve(std::move(what), found_handler(std::move(handler), h->executor));
            },
            token, std::move(q));
    }

    /// `seed`: what is known before the registry's first answer; not every registry takes it.
    [[nodiscard]] registry::watch watch(query const& q, found const& seed = {}) const { return held_->watch(q, seed); }

private:
    using lease_handler = weir::detail::erased_handler<lease>;
    using found_handler = weir::detail::erased_handler<found>;
    using done_handler = weir::detail::erased_handler<>;

    struct holder {
        holder(executor_type e, bool r) : executor(std::move(e)), registers(r) {}
        virtual ~holder() = default;
        virtual void enroll(registration r, lease_handler done) = 0;
        virtual void take_out(registration r, done_handler done) = 0;
        virtual void resolve(query q, found_handler done) = 0;
        [[nodiscard]] virtual registry::watch watch(query const& q, found const& seed) = 0;

        executor_type const executor;
        bool const registers;
    };

    template <class Registry>
    struct holder_of;

    std::shared_ptr<holder> held_;
};

// Bodies

template <class Registry>
struct any_registry::holder_of final : holder {
    [[nodiscard]] static bool takes_registrations(Registry const& r)
    {
        if constexpr (requires { r.registers(); }) return r.registers();
        return registrar<Registry>;
    }

    explicit holder_of(Registry r) : holder(r.get_executor(), takes_registrations(r)), inner(std::move(r)) {}

    void enroll(registration r, lease_handler done) override
    {
        if constexpr (registrar<Registry>)
            inner.async_register(std::move(r), std::move(done));
        else
            detail::async_answer<lease>(
                executor,
                [] { return std::tuple(boost::system::error_code(asio::error::operation_not_supported), lease()); },
                std::move(done));
    }
    void take_out(registration r, done_handler done) override
    {
        if constexpr (requires { inner.async_deregister(std::move(r), std::move(done)); })
            inner.async_deregister(std::move(r), std::move(done));
        else if constexpr (registrar<Registry>)
            inner.async_deregister(std::move(r.id), std::move(done));
        else
            detail::async_answer<>(
                executor, [] { return std::tuple(boost::system::error_code(asio::error::operation_not_supported)); },
                std::move(done));
    }
    void resolve(query q, found_handler done) override { inner.async_resolve(std::move(q), std::move(done)); }
    [[nodiscard]] registry::watch watch(query const& q, found const& seed) override
    {
        if constexpr (requires { inner.watch(q, seed); })
            return inner.watch(q, seed);
        else
            return inner.watch(q);
    }

    Registry inner;
};

template <discovery Registry>
    requires(!std::same_as<std::decay_t<Registry>, any_registry>)
any_registry::any_registry(Registry r)
{
    // All that derive from it are it, with a constructor: so that they share one holder's code.
    if constexpr (std::derived_from<Registry, detail::network_registry>)
        held_ = std::make_shared<holder_of<detail::network_registry>>(std::move(r));
    else
        held_ = std::make_shared<holder_of<Registry>>(std::move(r));
}

}  // namespace weir::registry
