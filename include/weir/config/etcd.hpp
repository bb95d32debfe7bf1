// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/detail/tree.hpp>
#include <weir/config/source.hpp>
#include <weir/core/errc.hpp>
#include <weir/http/transport.hpp>
#include <weir/registry/detail/etcd_session.hpp>
#include <weir/registry/detail/etcd_watch.hpp>
#include <weir/registry/detail/http_channel.hpp>
#include <weir/registry/detail/spawned.hpp>
#include <weir/registry/detail/transport_for.hpp>
#include <weir/registry/etcd_options.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace weir::config {

struct etcd_kv_options {
    /// The cluster: address, account, wait, timeout, connection. Its prefix, and what it says of watches and leases,
    /// are not looked at.
    registry::etcd_options cluster = {};

    /// "/config/checkout": the document is the value of this key. "/config/checkout/", with a slash at the end: all
    /// keys below it are one document, `limits/checkout/rate` is {"limits": {"checkout": {"rate": ...}}}; and a value
    /// that begins with { or [ is JSON itself.
    std::string key = {};

    /// Of a single key. Empty: by its name; .yaml and .yml are YAML, all others JSON.
    std::optional<config::format> format = {};
};

/// Keys of an etcd cluster (v3, over its JSON gateway; checked against 3.4.23), with a watch that stays open.
///
///   weir::config::etcd source({.cluster = {.url = "etcd://127.0.0.1:2379"}, .key = "/config/checkout"});
///   weir::config::refresh refresh(executor, source, std::move(bound));
///
/// A key that is not there is no error, and is waited for. The version is the revision of the last change.
/// Errors:  errc::registry_refused (permission, wrong password), registry_unavailable (no leader, stopping),
///          bad_document; the transport's own pass through.
/// Throws:  construction, std::invalid_argument naming the field.
/// Seen in: tests/config/etcd.cpp
template <class Transport = http::plain_transport>
class basic_etcd {
public:
    explicit basic_etcd(etcd_kv_options o, std::optional<Transport> transport = {})
        : cluster_(std::make_shared<registry::detail::etcd_config const>(
              o.cluster, registry::detail::http_channels_over(registry::detail::transport_for(
                             o.cluster.address(), std::move(transport), "etcd_kv_options.cluster.url")))),
          key_(std::move(o.key))
    {
        if (key_.empty())
            throw std::invalid_argument("weir: etcd_kv_options.key must be like \"/config/checkout\", and is empty");
        bool const yaml = key_.ends_with(".yaml") || key_.ends_with(".yml");
        format_ = key_.ends_with('/') ? format::json : o.format.value_or(yaml ? format::yaml : format::json);
    }

    class conversation;
    [[nodiscard]] conversation open(asio::any_io_executor strand) const
    {
        return {cluster_, key_, format_, std::move(strand)};
    }

private:
    std::shared_ptr<registry::detail::etcd_config const> cluster_;
    std::string key_;
    config::format format_;
};

using etcd = basic_etcd<>;

template <class Transport>
class basic_etcd<Transport>::conversation {
    using config_pointer = std::shared_ptr<registry::detail::etcd_config const>;
    using answer = registry::detail::spawned_answer<loaded>;
    using said = registry::detail::etcd_watch_said;

public:
    conversation(config_pointer c, std::string key, config::format f, asio::any_io_executor const& strand)
        : state_(std::make_shared<state>(std::move(c), std::move(key), f, strand)), strand_(strand)
    {
    }

    void async_load(loaded_handler done)
    {
        registry::detail::spawn_for<loaded>(strand_, load(state_), std::move(done));
    }
    void async_await_change(std::string const& version, loaded_handler done)
    {
        registry::detail::spawn_for<loaded>(strand_, await_change(state_, version), std::move(done));
    }
    [[nodiscard]] duration await_timeout() const { return state_->config->options.watch.await_timeout; }

private:
    using pair = registry::detail::etcd_pair;

    struct state {
        state(config_pointer c, std::string k, config::format f, asio::any_io_executor const& strand)
            : config(std::move(c)),
              key(std::move(k)),
              format(f),
              watch(registry::detail::etcd_wire(strand, config->cluster, duration::zero()), options(),
                    [](pair&& p) { return std::move(p); })
        {
        }

        [[nodiscard]] registry::detail::etcd_watch_options options() const
        {
            auto const& o = config->options;
            return {.first = key,
                    .last = key.ends_with('/') ? registry::detail::etcd_range_end(key) : std::string(),
                    .open_limit = o.timeout,
                    .silence = o.wait,
                    .max_frame_bytes = o.connection.max_body_bytes};
        }

        config_pointer config;
        std::string key;
        config::format format;
        registry::detail::etcd_watch<pair> watch;
        std::uint64_t changed_at = 0;  // of changes heard: one that deletes a key leaves no trace in what is there
        std::string told;              // the version that is in force
    };

    static asio::awaitable<answer> load(std::shared_ptr<state> s)
    {
        auto const read = co_await s->watch.read();
        co_return tell(*s, read);
    }

    static asio::awaitable<answer> await_change(std::shared_ptr<state> s, std::string version)
    {
        said heard;
        heard.lost = version.empty() || version != s->told;
        if (!heard.lost) {
            auto const before = s->watch.revision();
            heard = co_await s->watch.await_change();
            if (!heard.ec && heard.changed) s->changed_at = std::max(before, s->watch.revision());
        }
        if (heard.lost) heard = co_await s->watch.read();
        co_return tell(*s, heard);
    }

    [[nodiscard]] static answer tell(state& s, said const& heard)
    {
        loaded l;
        l.document.format = s.format;
        l.note = heard.note;
        s.told.clear();
        if (heard.ec) return {heard.ec, std::move(l)};
        auto const& entries = s.watch.entries();
        auto at = s.changed_at;
        for (auto const& [key, p] : entries) at = std::max(at, p.revision);
        l.document.version = s.told = std::to_string(at == 0 ? s.watch.revision() : at);
        l.missing = entries.empty();
        if (l.missing) l.note = "there is no key " + s.key;
        if (!l.missing && s.key.ends_with('/')) return {folder(s, l), std::move(l)};
        if (!l.missing) l.document.bytes = entries.begin()->second.value;
        return {boost::system::error_code(), std::move(l)};
    }

    [[nodiscard]] static boost::system::error_code folder(state const& s, loaded& l)
    {
        detail::tree all('/');
        for (auto const& [key, p] : s.watch.entries()) {
            auto const below = std::string_view(key).substr(s.key.size());
            if (below.empty() || below.ends_with('/')) continue;  // only a place for others
            if (!all.add_text(below, p.value, l.note)) return make_error_code(errc::bad_document);
        }
        l.document.bytes = json::serialize(all.whole());
        return {};
    }

    std::shared_ptr<state> state_;
    asio::any_io_executor strand_;
};

}  // namespace weir::config
