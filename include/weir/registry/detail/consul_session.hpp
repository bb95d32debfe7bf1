// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/endpoint.hpp>
#include <weir/core/errc.hpp>
#include <weir/http/client.hpp>
#include <weir/registry/consul_options.hpp>
#include <weir/registry/detail/consul_document.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir::registry::detail {

/// What the conversations with one Consul have in common. Immutable.
struct consul_config {
    explicit consul_config(consul_options o) : options(std::move(o))
    {
        options.check();
        auto const u = options.agent();
        agent = {.id = "consul", .host = u.host, .port = u.port};
        base = u.path;
        tls = u.tls;
        // The server may add a sixteenth to spread its answers; the rest is for the network.
        options.watch.await_timeout = options.wait + options.wait / 16 + std::chrono::seconds(5);
    }

    consul_options options;
    endpoint agent;
    std::string base;
    bool tls = false;
};

/// A handler of whatever type, so that the HTTP client, which is large, is compiled once for all questions.
class response_handler {
public:
    using executor_type = asio::any_io_executor;
    using cancellation_slot_type = asio::cancellation_slot;

    template <class Handler>
    response_handler(Handler&& handler, executor_type const& otherwise)
        : executor_(asio::get_associated_executor(handler, otherwise)),
          slot_(asio::get_associated_cancellation_slot(handler)),
          target_(std::make_unique<holder<std::decay_t<Handler>>>(std::forward<Handler>(handler)))
    {
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return slot_; }

    void operator()(boost::system::error_code ec, http::response answer)
    {
        std::exchange(target_, nullptr)->complete(ec, std::move(answer));
    }

private:
    struct target {
        virtual ~target() = default;
        virtual void complete(boost::system::error_code ec, http::response&& answer) = 0;
    };
    template <class Handler>
    struct holder final : target {
        explicit holder(Handler&& h) : handler(std::move(h)) {}
        void complete(boost::system::error_code ec, http::response&& answer) override
        {
            std::move(handler)(ec, std::move(answer));
        }
        Handler handler;
    };

    executor_type executor_;
    cancellation_slot_type slot_;
    std::unique_ptr<target> target_;
};

/// One conversation with a Consul agent, with a connection for each question: a watch_backend and a lease_backend. It
/// knows the protocol and no patience: when to ask again is for the watcher and the keeper to say. Used from one
/// strand.
template <class Transport>
class consul_session {
    using client = http::basic_client<asio::any_io_executor, Transport>;
    using config_pointer = std::shared_ptr<consul_config const>;

public:
    /// `limit`: of each question; 0 where somebody else holds the clock.
    consul_session(asio::any_io_executor strand, config_pointer c, duration limit, Transport transport)
        : config_(std::move(c)), client_(make_client(std::move(strand), *config_, limit, std::move(transport)))
    {
    }

    template <class Token>
    auto async_list(query const& q, Token&& token)
    {
        return listing_of(q, std::nullopt, std::forward<Token>(token));
    }

    template <class Token>
    auto async_await_change(query const& q, std::string const& revision, Token&& token)
    {
        return listing_of(q, read_consul_index(revision), std::forward<Token>(token));
    }

    template <class Token>
    auto async_put(registration const& r, Token&& token)
    {
        return ask(
            http::put(path("/v1/agent/service/register?replace-existing-checks=true"), write_consul_registration(r)),
            [](http::response const& a) { return judged(a); }, std::forward<Token>(token));
    }

    template <class Token>
    auto async_beat(registration const& r, health h, Token&& token)
    {
        auto const target = "/v1/agent/check/update/" + percent_encoded(consul_check_id(r));
        return ask(
            http::put(path(target), write_consul_beat(h)),
            [](http::response const& a) {
                // 1.8 says 500 to a check it does not have, and to one that is not a TTL check; later ones say 404.
                bool const unknown = a.result() == http::status::not_found ||
                                     (a.result() == http::status::internal_server_error &&
                                      a.body().find("does not have associated TTL") != std::string::npos);
                if (unknown) return std::tuple(boost::system::error_code(), reply{false, shown(a)});
                return judged(a);
            },
            std::forward<Token>(token));
    }

    template <class Token>
    auto async_remove(registration const& r, Token&& token)
    {
        return async_remove(r.id, std::forward<Token>(token));
    }

    template <class Token>
    auto async_remove(std::string const& id, Token&& token)
    {
        return ask(
            http::put(path("/v1/agent/service/deregister/" + percent_encoded(id)), {}),
            [](http::response const& a) {
                if (a.result() == http::status::not_found) return std::tuple(boost::system::error_code(), reply{});
                return judged(a);
            },
            std::forward<Token>(token));
    }

private:
    using verdict = std::tuple<boost::system::error_code, reply>;

    [[nodiscard]] static std::shared_ptr<client> make_client(asio::any_io_executor strand, consul_config const& c,
                                                             duration limit, Transport transport)
    {
        auto o = c.options.connection;
        o.timeout = limit;
        // The client repeats a request that died with a kept connection. A blocking query must not be repeated: after
        // the break its index may be one of another life of the server, which then stays silent about what it has now.
        o.idle_timeout = duration::zero();
        return std::make_shared<client>(std::move(strand), std::move(o), std::move(transport));
    }

    [[nodiscard]] std::string path(std::string_view target) const { return config_->base + std::string(target); }

    [[nodiscard]] http::request with_token(http::request r) const
    {
        auto const& token = config_->options.token.reveal();
        if (!token.empty()) r.set("X-Consul-Token", token);
        return r;
    }

    // What a registry says to people, fit for a log.
    [[nodiscard]] static std::string shown(http::response const& a)
    {
        std::string out = std::to_string(a.result_int());
        auto const text = std::string_view(a.body()).substr(0, 200);
        if (!text.empty()) out += ": ";
        for (char const c : text) out += c >= 0x20 && c < 0x7f ? c : '?';
        return out;
    }

    [[nodiscard]] static verdict judged(http::response const& a)
    {
        auto const code = a.result_int();
        if (code >= 200 && code < 300) return {boost::system::error_code(), reply{}};
        // Too many connections, or no leader at the moment: the same request will do later.
        bool const later = code >= 500 || code == 429 || code == 408;
        return {make_error_code(later ? errc::registry_unavailable : errc::registry_refused), reply{true, shown(a)}};
    }

    using reader = verdict (*)(http::response const&);

    template <class Token>
    auto ask(http::request r, reader read, Token&& token)
    {
        return asio::async_compose<Token, void(boost::system::error_code, reply)>(
            [client = client_, config = config_, request = with_token(std::move(r)), read, started = false](
                auto& self, boost::system::error_code ec = {}, http::response const& answer = {}) mutable {
                if (!std::exchange(started, true)) {
                    self.reset_cancellation_state(asio::enable_total_cancellation());
                    auto const c = client;
                    auto const to = config;
                    auto what = std::move(request);
                    return c->async_send(to->agent, std::move(what), never,
                                         response_handler(std::move(self), c->get_executor()));
                }
                if (ec) return self.complete(ec, reply{});
                auto [code, said] = read(answer);
                self.complete(code, std::move(said));
            },
            token, client_->get_executor());
    }

    // One read of the instances: with an index, one that waits for a change.
    struct list_op {
        consul_session session;
        query q;
        std::optional<std::uint64_t> from;
        listing all;
        enum class step : std::uint8_t { begin, listed, authorized } at = step::begin;

        template <class Self>
        void operator()(Self& self, boost::system::error_code ec = {}, http::response const& answer = {})
        {
            if (at == step::begin) {
                self.reset_cancellation_state(asio::enable_total_cancellation());
                return send(self, step::listed, http::get(session.target(q, from)));
            }
            if (ec) return self.complete(ec, listing{});
            if (at == step::authorized) return authorized(self, answer);

            if (answer.result() != http::status::ok) {
                auto [code, said] = judged(answer);
                if (!code) code = make_error_code(errc::bad_document);
                return fail(self, code, std::move(said.note));
            }
            if (auto const bad = read_consul_health(answer.body(), q, all)) return self.complete(bad, std::move(all));
            if (header(answer, "X-Consul-Results-Filtered-By-ACLs") == "true")
                return fail(self, make_error_code(errc::registry_refused),
                            "the token does not let all instances be seen");
            // A lower index is another history: the server restarted, or was restored.
            auto const index = read_consul_index(header(answer, "X-Consul-Index"));
            all.revision = index && (!from || *index >= *from) ? std::to_string(*index) : std::string();
            if (!all.instances.empty()) return self.complete({}, std::move(all));

            // Consul hides what the token may not read behind an empty list that looks like any other. So an empty list
            // is believed only when the server does not say that we may not look.
            send(self, step::authorized,
                 http::post(session.path("/v1/internal/acl/authorize"),
                            json::serialize(json::array{
                                json::object{{"Resource", "service"}, {"Segment", q.service}, {"Access", "read"}}})));
        }

        template <class Self>
        void authorized(Self& self, http::response const& answer)
        {
            auto const code = answer.result_int();
            if (code == 200 && read_consul_authorization(answer.body()) == false)
                return fail(self, make_error_code(errc::registry_refused),
                            "permission denied: missing service:read on " + q.service);
            // 401: access control is off. 404, 405: a version that does not have this question.
            bool const no_answer = code >= 500 || code == 403 || code == 429;
            if (no_answer) {
                auto [ec, said] = judged(answer);
                return fail(self, ec, std::move(said.note));
            }
            self.complete({}, std::move(all));
        }

        template <class Self>
        void send(Self& self, step next, http::request r)
        {
            at = next;
            auto const c = session.client_;
            auto const to = session.config_;
            auto what = session.with_token(std::move(r));
            c->async_send(to->agent, std::move(what), never, response_handler(std::move(self), c->get_executor()));
        }

        template <class Self>
        static void fail(Self& self, boost::system::error_code ec, std::string note)
        {
            listing l;
            l.note = std::move(note);
            self.complete(ec, std::move(l));
        }

        [[nodiscard]] static std::string_view header(http::response const& a, char const* name)
        {
            auto const found = a.find(name);
            return found == a.end() ? std::string_view()
                                    : std::string_view(found->value().data(), found->value().size());
        }
    };

    template <class Token>
    auto listing_of(query const& q, std::optional<std::uint64_t> from, Token&& token)
    {
        return asio::async_compose<Token, void(boost::system::error_code, listing)>(list_op{*this, q, from, {}}, token,
                                                                                    client_->get_executor());
    }

    // All states are asked for: passing=true would drop the warnings, which still serve.
    [[nodiscard]] std::string target(query const& q, std::optional<std::uint64_t> from) const
    {
        auto t = path("/v1/health/service/" + percent_encoded(q.service));
        char sign = '?';
        auto const add = [&](std::string_view key, std::string const& value) {
            t += sign;
            t += key;
            t += '=' + value;
            sign = '&';
        };
        if (from) {
            add("index", std::to_string(*from));
            add("wait", consul_duration(config_->options.wait));
        }
        if (!q.tag.empty()) add("tag", percent_encoded(q.tag));
        auto const& dc = q.datacenter.empty() ? config_->options.datacenter : q.datacenter;
        if (!dc.empty()) add("dc", percent_encoded(dc));
        return t;
    }

    config_pointer config_;
    std::shared_ptr<client> client_;
};

}  // namespace weir::registry::detail
