// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/detail/consul_kv_document.hpp>
#include <weir/config/source.hpp>
#include <weir/core/errc.hpp>
#include <weir/http/transport.hpp>
#include <weir/registry/consul_options.hpp>
#include <weir/registry/detail/consul_session.hpp>
#include <weir/registry/detail/http_session.hpp>
#include <weir/registry/detail/network_registry.hpp>
#include <weir/registry/detail/transport_for.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace weir::config {

struct consul_kv_options {
    /// The agent: address, token, datacenter, wait, connection. Its options of watches and leases are not looked at.
    registry::consul_options agent = {};

    /// "config/checkout": the document is the value of this key. "config/checkout/", with a slash at the end: all keys
    /// below it are one document, `limits/checkout/rate` is {"limits": {"checkout": {"rate": ...}}}; and a value that
    /// begins with { or [ is JSON itself. Without a slash at the beginning.
    std::string key = {};

    /// Of a single key. Empty: by its name; .yaml and .yml are YAML, all others JSON.
    std::optional<config::format> format = {};
};

/// Consul's key-value store (HTTP API v1; checked against 1.8.7), waited on with blocking queries.
///
///   weir::config::consul source({.agent = {.url = "consul://127.0.0.1:8500"}, .key = "config/checkout"});
///   weir::config::refresh refresh(executor, source, std::move(bound));
///
/// A key that is not there is no error, and is waited for. Its version is Consul's index.
/// Errors:  errc::registry_refused (permission), registry_unavailable (no leader, overloaded), bad_document; the
///          transport's own pass through.
/// Throws:  construction, std::invalid_argument naming the field.
/// Seen in: tests/config/consul.cpp, tests/config/real/consul_kv.cpp
template <class Transport = http::plain_transport>
class basic_consul {
public:
    explicit basic_consul(consul_kv_options o, std::optional<Transport> transport = {})
        : agent_(std::make_shared<registry::detail::consul_config const>(
              o.agent, registry::detail::http_channels_over(registry::detail::transport_for(
                           o.agent.address(), std::move(transport), "consul_kv_options.agent.url")))),
          key_(std::move(o.key))
    {
        if (key_.empty() || key_.starts_with('/'))
            throw std::invalid_argument("weir: consul_kv_options.key must be like \"config/checkout\", and is \"" +
                                        key_ + '"');
        bool const yaml = key_.ends_with(".yaml") || key_.ends_with(".yml");
        format_ = key_.ends_with('/') ? format::json : o.format.value_or(yaml ? format::yaml : format::json);
    }

    class conversation;
    [[nodiscard]] conversation open(asio::any_io_executor strand) const { return {*this, std::move(strand)}; }

private:
    [[nodiscard]] std::string target(std::optional<std::uint64_t> index) const
    {
        std::string t = "/v1/kv";
        for (std::string_view rest = key_; !rest.empty();) {
            auto const part = rest.substr(0, rest.find('/'));
            t += '/' + registry::detail::percent_encoded(part);
            rest.remove_prefix(std::min(rest.size(), part.size() + 1));
        }
        char sign = '?';
        auto const add = [&](std::string const& parameter) { t += std::exchange(sign, '&') + parameter; };
        if (key_.ends_with('/')) {
            t += '/';
            add("recurse=true");
        }
        if (index) {
            add("index=" + std::to_string(*index));
            add("wait=" + registry::detail::consul_duration(agent_->options.wait));
        }
        auto const& dc = agent_->options.datacenter;
        if (!dc.empty()) add("dc=" + registry::detail::percent_encoded(dc));
        return t;
    }

    std::shared_ptr<registry::detail::consul_config const> agent_;
    std::string key_;
    config::format format_;
};

using consul = basic_consul<>;

template <class Transport>
class basic_consul<Transport>::conversation {
public:
    conversation(basic_consul const& c, asio::any_io_executor strand)
        : from_(c), http_(std::move(strand), c.agent_->access, duration::zero())
    {
    }

    void async_load(loaded_handler done) { ask(std::nullopt, std::move(done)); }
    void async_await_change(std::string const& version, loaded_handler done)
    {
        ask(registry::detail::read_consul_index(version), std::move(done));
    }
    [[nodiscard]] duration await_timeout() const { return from_.agent_->options.watch.await_timeout; }

private:
    struct kv_op {
        basic_consul from;
        registry::detail::http_session wire;
        std::optional<std::uint64_t> index;
        bool started = false;

        template <class Self>
        void operator()(Self& self, boost::system::error_code ec = {}, http::response const& answer = {})
        {
            if (!std::exchange(started, true)) {
                self.reset_cancellation_state(asio::enable_total_cancellation());
                auto request = http::get(from.target(index));
                auto to = wire;  // a copy: this object moves
                return to.async_send(std::move(request), std::move(self));
            }
            if (ec) return self.complete(ec, loaded{});
            loaded l;
            l.document.format = from.format_;
            l.missing = answer.result() == http::status::not_found;
            if (!l.missing && answer.result() != http::status::ok) {
                auto [code, said] = registry::detail::judged(answer);
                l.note = std::move(said.note);
                if (!code) code = make_error_code(errc::bad_document);
                return self.complete(code, std::move(l));
            }
            // A list that is not all there would take the missing keys' values out of force.
            if (header(answer, "X-Consul-Results-Filtered-By-ACLs") == "true") {
                l.note = "the token does not let all keys be seen";
                return self.complete(make_error_code(errc::registry_refused), std::move(l));
            }
            if (l.missing)
                l.note = "there is no key " + from.key_;
            else
                ec = detail::read_consul_kv(answer.body(), from.key_, l);
            // A lower index is another history: the server restarted, or was restored. Then all is read again.
            auto const now = registry::detail::read_consul_index(header(answer, "X-Consul-Index"));
            if (now && (!index || *now >= *index)) l.document.version = std::to_string(*now);
            self.complete(ec, std::move(l));
        }

        [[nodiscard]] static std::string_view header(http::response const& a, char const* name)
        {
            auto const found = a.find(name);
            return found == a.end() ? std::string_view()
                                    : std::string_view(found->value().data(), found->value().size());
        }
    };

    void ask(std::optional<std::uint64_t> index, loaded_handler done)
    {
        asio::async_compose<loaded_handler, void(boost::system::error_code, loaded)>(kv_op{from_, http_, index}, done,
                                                                                     http_.get_executor());
    }

    basic_consul from_;
    registry::detail::http_session http_;
};

}  // namespace weir::config
