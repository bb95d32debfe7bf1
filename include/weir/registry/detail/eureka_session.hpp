// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/random.hpp>
#include <weir/registry/detail/base64.hpp>
#include <weir/registry/detail/eureka_document.hpp>
#include <weir/registry/detail/http_session.hpp>
#include <weir/registry/detail/spawned.hpp>
#include <weir/registry/eureka_options.hpp>
#include <weir/registry/lease_backend.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace weir::registry::detail {

/// What the conversations with the servers of one Eureka have in common.
struct eureka_config {
    eureka_config(eureka_options const& o, http_channel_maker make) : options(o.checked())
    {
        auto const u = options.address();
        tls = u.tls;
        http_access_options a{
            .servers = u.servers, .base = u.path.empty() ? "/eureka" : u.path, .connection = options.connection};
        if (!options.user.empty()) {
            a.credentials.prefix = "Basic ";
            a.credentials.token = secret(to_base64(options.user + ':' + options.password.reveal()));
        }
        access = std::make_shared<http_access>(std::move(a), std::move(make));
        // A read has its own limit, so that a silent server is not waited for as long as a pause is.
        options.watch.await_timeout = options.poll + options.timeout + std::chrono::seconds(1);
    }

    eureka_options options;
    std::shared_ptr<http_access> access;
    bool tls = false;
};

/// One conversation with a Eureka server: a watch_backend, for which waiting for a change is a pause and a read, and a
/// lease_backend. It knows the protocol and no patience. Used from one strand.
class eureka_session {
    using config_pointer = std::shared_ptr<eureka_config const>;
    using listing_answer = spawned_answer<listing>;
    using reply_answer = spawned_answer<reply>;

public:
    eureka_session(asio::any_io_executor strand, config_pointer c, duration limit)
        : state_(std::make_shared<state>(std::move(strand), std::move(c), limit))
    {
    }

    [[nodiscard]] duration retry_after() const { return state_->http.retry_after(); }
    void async_list(query const& q, listing_handler done)
    {
        spawn_for(strand(), list(state_, q, false), std::move(done));
    }
    void async_await_change(query const& q, std::string const&, listing_handler done)
    {
        spawn_for(strand(), list(state_, q, true), std::move(done));
    }
    void async_put(registration const& r, reply_handler done) { spawn_for(strand(), put(state_, r), std::move(done)); }
    void async_beat(registration const& r, health h, reply_handler done)
    {
        spawn_for(strand(), beat(state_, r, h), std::move(done));
    }
    void async_remove(registration const& r, reply_handler done)
    {
        spawn_for(strand(), remove(state_, r), std::move(done));
    }

private:
    struct state {
        state(asio::any_io_executor strand, config_pointer c, duration limit)
            : config(std::move(c)),
              http(strand, config->access, limit > duration::zero() ? limit : config->options.timeout),
              pause(strand)
        {
        }

        config_pointer config;
        http_session http;
        weir::timer pause;
        random_engine random{thread_random()()};
        std::uint64_t answers = 0;
        bool serves = true;        // as the keeper has it
        std::optional<bool> told;  // and as the server was told since it has had the instance
    };
    using state_pointer = std::shared_ptr<state>;
    using heard = std::tuple<boost::system::error_code, http::response>;
    static constexpr auto token = asio::as_tuple(asio::use_awaitable);

    [[nodiscard]] asio::any_io_executor strand() { return state_->http.get_executor(); }

    static asio::awaitable<heard> ask(state_pointer s, http::request r)
    {
        r.set(http::field::accept, "application/json");  // or it is XML
        auto [ec, answer] = co_await s->http.async_send(std::move(r), token);
        co_return heard(ec, std::move(answer));
    }

    static asio::awaitable<listing_answer> list(state_pointer s, query q, bool wait)
    {
        listing all;
        auto const& o = s->config->options;
        if (wait) {
            auto const tenth = static_cast<std::uint64_t>((o.poll / 10).count());
            auto const sooner = duration(static_cast<duration::rep>(uniform_below(s->random, tenth)));
            auto const [ended] = co_await s->pause.async_wait_for(o.poll - sooner, token);
            if (ended) co_return listing_answer(ended, std::move(all));
        }
        all.server = s->http.server();
        auto const [ec, answer] = co_await ask(s, http::get(application(q.service)));
        if (ec) co_return listing_answer(ec, std::move(all));
        all.revision = std::to_string(++s->answers);  // Eureka has no word for it that is good for one application
        // ApplicationResource.getApplication: no such application, or none any more.
        if (answer.result() == http::status::not_found) co_return listing_answer(ec, std::move(all));
        // The same: a registry that is still filling up from its peers lets nobody read.
        bool const starting = answer.result() == http::status::forbidden;
        if (answer.result() != http::status::ok) {
            auto [bad, said] = judged(answer);
            if (!bad) bad = make_error_code(errc::bad_document);
            if (starting) bad = make_error_code(errc::registry_unavailable);
            all.note = said.note.empty() ? shown(answer) : std::move(said.note);
            co_return listing_answer(bad, std::move(all));
        }
        auto const bad =
            read_eureka_application(answer.body(), q, {.host_names = o.host_names, .secure = o.secure}, all);
        co_return listing_answer(bad, std::move(all));
    }

    static asio::awaitable<reply_answer> put(state_pointer s, registration r)
    {
        s->told.reset();
        auto body = write_eureka_instance(r, s->serves);
        auto const [ec, answer] = co_await ask(s, http::post(application(r.service), std::move(body)));
        if (ec) co_return reply_answer(ec, reply());
        co_return judged(answer);
    }

    // The server keeps the status it knows through a registration (LeaseExistsRule, OverrideExistsRule), so that only
    // saying it makes it so: after each registration, and when it changes.
    static asio::awaitable<reply_answer> beat(state_pointer s, registration r, health h)
    {
        s->serves = h != health::critical;
        auto said = co_await renew(s, http::put(place(r), {}));
        if (std::get<0>(said) || !std::get<1>(said).known || s->told == s->serves) co_return said;
        bool const now = s->serves;
        said = co_await renew(s, http::put(place(r) + "/status?value=" + (now ? "UP" : "OUT_OF_SERVICE"), {}));
        if (!std::get<0>(said) && std::get<1>(said).known) s->told = now;
        co_return said;
    }

    static asio::awaitable<reply_answer> renew(state_pointer s, http::request r)
    {
        auto const [ec, answer] = co_await ask(s, std::move(r));
        if (ec) co_return reply_answer(ec, reply());
        if (answer.result() == http::status::not_found) co_return reply_answer(ec, reply{false, shown(answer)});
        co_return judged(answer);
    }

    static asio::awaitable<reply_answer> remove(state_pointer s, registration r)
    {
        if (r.service.empty())
            co_return reply_answer(asio::error::invalid_argument, reply{true, "Eureka needs the service of an id"});
        auto [ec, said] = co_await renew(s, http::del(place(r)));
        if (!ec) said = reply();
        co_return reply_answer(ec, std::move(said));
    }

    [[nodiscard]] static std::string application(std::string const& service)
    {
        return "/apps/" + percent_encoded(eureka_app(service));
    }
    [[nodiscard]] static std::string place(registration const& r)
    {
        return application(r.service) + "/" + percent_encoded(r.id);
    }

    state_pointer state_;
};

static_assert(watch_backend<eureka_session> && lease_backend<eureka_session>);

}  // namespace weir::registry::detail
