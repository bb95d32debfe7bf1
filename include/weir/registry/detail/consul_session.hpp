// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/consul_options.hpp>
#include <weir/registry/detail/consul_document.hpp>
#include <weir/registry/detail/http_session.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace weir::registry::detail {

/// What the conversations with one Consul have in common.
struct consul_config {
    consul_config(consul_options const& o, http_channel_maker make) : options(o.checked())
    {
        auto const u = options.address();
        tls = u.tls;
        access = std::make_shared<http_access>(
            http_access_options{
                .servers = u.servers,
                .base = u.path,
                .credentials = {.header = "X-Consul-Token", .token = options.token, .file = options.token_file},
                .connection = options.connection},
            std::move(make));
        // The server may add a sixteenth to spread its answers; the rest is for the network.
        options.watch.await_timeout = options.wait + options.wait / 16 + std::chrono::seconds(5);
    }

    consul_options options;
    std::shared_ptr<http_access> access;
    bool tls = false;
};

/// One conversation with a Consul agent: a watch_backend and a lease_backend. It knows the protocol and no patience:
/// when to ask again is for the watcher and the keeper to say. Used from one strand.
class consul_session {
    using config_pointer = std::shared_ptr<consul_config const>;

public:
    consul_session(asio::any_io_executor strand, config_pointer c, duration limit)
        : config_(std::move(c)), http_(std::move(strand), config_->access, limit)
    {
    }

    [[nodiscard]] duration retry_after() const { return http_.retry_after(); }
    void async_list(query const& q, listing_handler done) { ask_for(q, std::nullopt, std::move(done)); }

    void async_await_change(query const& q, std::string const& revision, listing_handler done)
    {
        ask_for(q, read_consul_index(revision), std::move(done));
    }

    void async_put(registration const& r, reply_handler done)
    {
        http_.ask(http::put("/v1/agent/service/register?replace-existing-checks=true", write_consul_registration(r)),
                  judged, std::move(done));
    }

    void async_beat(registration const& r, health h, reply_handler done)
    {
        auto const judge = [](http::response const& a) {
            // 1.8 says 500 to a check it does not have, and to one that is not a TTL check; later ones say 404.
            bool const unknown = a.result() == http::status::not_found ||
                                 (a.result() == http::status::internal_server_error &&
                                  a.body().find("does not have associated TTL") != std::string::npos);
            if (unknown) return http_verdict(boost::system::error_code(), reply{false, shown(a)});
            return judged(a);
        };
        http_.ask(http::put("/v1/agent/check/update/" + percent_encoded(consul_check_id(r)), write_consul_beat(h)),
                  judge, std::move(done));
    }

    void async_remove(registration const& r, reply_handler done)
    {
        auto const judge = [](http::response const& a) {
            if (a.result() == http::status::not_found) return http_verdict();
            return judged(a);
        };
        http_.ask(http::put("/v1/agent/service/deregister/" + percent_encoded(r.id), {}), judge, std::move(done));
    }

private:
    // One read of the instances: with an index, one that waits for a change.
    struct list_op {
        config_pointer config;
        http_session wire;
        query q;
        std::optional<std::uint64_t> from;
        listing all;
        enum class step : std::uint8_t { begin, listed, authorized } at = step::begin;

        template <class Self>
        void operator()(Self& self, boost::system::error_code ec = {}, http::response const& answer = {})
        {
            if (at == step::begin) {
                self.reset_cancellation_state(asio::enable_total_cancellation());
                return send(self, step::listed, http::get(target(*config, q, from)));
            }
            if (ec) return fail(self, ec, {});
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
                 http::post("/v1/internal/acl/authorize",
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
            all.server = wire.server();
            auto to = wire;  // a copy: this object moves
            to.async_send(std::move(r), std::move(self));
        }

        template <class Self>
        void fail(Self& self, boost::system::error_code ec, std::string note)
        {
            listing l;
            l.server = std::move(all.server);
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

    void ask_for(query const& q, std::optional<std::uint64_t> from, listing_handler done)
    {
        asio::async_compose<listing_handler, void(boost::system::error_code, listing)>(
            list_op{config_, http_, q, from, {}}, done, http_.get_executor());
    }

    // All states are asked for: passing=true would drop the warnings, which still serve.
    [[nodiscard]] static std::string target(consul_config const& config, query const& q,
                                            std::optional<std::uint64_t> from)
    {
        auto t = "/v1/health/service/" + percent_encoded(q.service);
        char sign = '?';
        auto const add = [&](std::string_view key, std::string const& value) {
            t += sign;
            t += key;
            t += '=' + value;
            sign = '&';
        };
        if (from) {
            add("index", std::to_string(*from));
            add("wait", consul_duration(config.options.wait));
        }
        if (!q.tag.empty()) add("tag", percent_encoded(q.tag));
        auto const& dc = q.datacenter.empty() ? config.options.datacenter : q.datacenter;
        if (!dc.empty()) add("dc", percent_encoded(dc));
        return t;
    }

    config_pointer config_;
    http_session http_;
};

}  // namespace weir::registry::detail
