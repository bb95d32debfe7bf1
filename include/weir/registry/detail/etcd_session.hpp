// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/etcd_document.hpp>
#include <weir/registry/detail/etcd_instance.hpp>
#include <weir/registry/detail/etcd_watch.hpp>
#include <weir/registry/detail/etcd_wire.hpp>
#include <weir/registry/detail/spawned.hpp>
#include <weir/registry/etcd_options.hpp>
#include <weir/registry/lease_backend.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::registry::detail {

/// What the conversations with one etcd cluster have in common.
struct etcd_config {
    etcd_config(etcd_options const& o, http_channel_maker make) : options(o.checked())
    {
        auto u = options.address();
        tls = u.tls;
        cluster = std::make_shared<etcd_cluster>(std::move(u.servers), options.user, options.password,
                                                 options.connection, std::move(make));
        options.watch.await_timeout = options.wait + options.timeout + std::chrono::seconds(5);
    }

    etcd_options options;
    std::shared_ptr<etcd_cluster> cluster;
    bool tls = false;
};

/// One conversation with an etcd cluster: a watch_backend, with a watch that stays open between its questions, and a
/// lease_backend. It knows the protocol and no patience: when to ask again is for the watcher and the keeper to say.
/// Used from one strand.
class etcd_session {
    using config_pointer = std::shared_ptr<etcd_config const>;
    using listing_answer = spawned_answer<listing>;
    using reply_answer = spawned_answer<reply>;

public:
    etcd_session(asio::any_io_executor strand, config_pointer c, duration limit)
        : state_(std::make_shared<state>(std::move(strand), std::move(c), limit))
    {
    }

    [[nodiscard]] duration retry_after() const { return state_->wire.http().retry_after(); }
    void async_list(query const& q, listing_handler done) { spawn_for(strand(), list(state_, q), std::move(done)); }

    void async_await_change(query const& q, std::string const& revision, listing_handler done)
    {
        spawn_for(strand(), await_change(state_, q, revision), std::move(done));
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
    // What is under a key: an instance, or the reason why it is none.
    struct entry {
        std::optional<instance> what;
        std::string why;
    };

    struct state {
        state(asio::any_io_executor strand, config_pointer c, duration limit)
            : config(std::move(c)), wire(strand, config->cluster, limit)
        {
        }

        config_pointer config;
        etcd_wire wire;
        std::optional<etcd_watch<entry>> watch;
        std::string service;  // that `watch` is of
        std::string told;     // the revision of the last answer: `watch` goes on between questions
        std::uint64_t lease = 0;
        health put_as = health::passing;
    };
    using state_pointer = std::shared_ptr<state>;

    [[nodiscard]] asio::any_io_executor strand() { return state_->wire.http().get_executor(); }

    // Watching

    [[nodiscard]] static std::string folder(state const& s, std::string_view service)
    {
        auto const& prefix = s.config->options.prefix;
        return prefix + (prefix.empty() ? "" : "/") + etcd_key_part(service) + "/";
    }

    [[nodiscard]] static etcd_watch<entry>& watch_of(state& s, query const& q)
    {
        if (s.watch && s.service == q.service) return *s.watch;
        s.service = q.service;
        s.told.clear();
        auto const& o = s.config->options;
        auto const under = folder(s, q.service);
        auto const read = [service = q.service, skip = under.size()](etcd_pair&& p) {
            entry e;
            auto id = read_etcd_key_part(std::string_view(p.key).substr(skip));
            if (id)
                e.what = read_etcd_instance(service, *std::move(id), p.value, e.why);
            else
                e.why = "the key has no id";
            return e;
        };
        return s.watch.emplace(s.wire,
                               etcd_watch_options{.first = under,
                                                  .last = etcd_range_end(under),
                                                  .open_limit = o.timeout,
                                                  .silence = o.wait,
                                                  .max_frame_bytes = o.connection.max_body_bytes},
                               read);
    }

    static asio::awaitable<listing_answer> list(state_pointer s, query q)
    {
        auto& w = watch_of(*s, q);
        auto const said = co_await w.read();
        co_return tell(*s, q, said);
    }

    static asio::awaitable<listing_answer> await_change(state_pointer s, query q, std::string revision)
    {
        auto& w = watch_of(*s, q);
        etcd_watch_said said;
        if (revision == s->told)
            said = co_await w.await_change();
        else
            said = co_await w.read();
        co_return tell(*s, q, said);
    }

    [[nodiscard]] static listing_answer tell(state& s, query const& q, etcd_watch_said const& said)
    {
        listing all;
        all.server = s.wire.http().server();
        all.note = said.note;
        if (said.ec) return {said.ec, std::move(all)};
        std::string why;
        all.instances.reserve(s.watch->entries().size());
        std::size_t good = 0;
        for (auto const& [key, e] : s.watch->entries()) {
            if (!e.what) {
                if (all.skipped++ == 0) why = e.why;
                continue;
            }
            ++good;
            if (q.matches(*e.what)) all.instances.push_back(*e.what);
        }
        if (good == 0 && all.skipped != 0) {
            all.note = "none of " + std::to_string(all.skipped) + " keys can be used; the first: " + why;
            return {make_error_code(errc::bad_document), std::move(all)};
        }
        if (all.skipped != 0) all.note = std::to_string(all.skipped) + " keys skipped; the first: " + why;
        if (!said.lost) all.revision = s.told = std::to_string(s.watch->revision());
        return {boost::system::error_code(), std::move(all)};
    }

    // Registering

    [[nodiscard]] static std::string key_of(state const& s, registration const& r)
    {
        return folder(s, r.service) + etcd_key_part(r.id);
    }

    [[nodiscard]] static reply_answer answer(etcd_said const& said) { return {said.ec, reply{true, said.error.note}}; }

    [[nodiscard]] static reply_answer forgotten(std::string note)
    {
        return {boost::system::error_code(), reply{false, std::move(note)}};
    }

    [[nodiscard]] static reply_answer garbled(std::string why)
    {
        return {make_error_code(errc::bad_document), reply{true, std::move(why)}};
    }

    static asio::awaitable<reply_answer> put(state_pointer s, registration r)
    {
        for (bool again = true;; again = false) {
            if (s->lease == 0) {
                using std::chrono::seconds;
                auto const ttl = std::max(std::chrono::ceil<seconds>(r.ttl), seconds(1)).count();
                auto const granted =
                    co_await s->wire.ask("/v3/lease/grant", write_etcd_grant(static_cast<std::uint64_t>(ttl)));
                if (granted.ec) co_return answer(granted);
                std::string why;
                auto const lease = read_etcd_lease(granted.body, why);
                if (!lease || lease->ttl == 0) co_return garbled(why);
                s->lease = lease->id;
            }
            auto said = co_await store(s, r, s->put_as);
            if (said.error.what != etcd_trouble::not_found || !again) co_return answer(said);
            s->lease = 0;  // it ran out
        }
    }

    static asio::awaitable<etcd_said> store(state_pointer s, registration const& r, health h)
    {
        auto value = write_etcd_instance(to_instance(r, h));
        auto body = write_etcd_put(key_of(*s, r), value, s->lease);
        auto said = co_await s->wire.ask("/v3/kv/put", std::move(body));
        if (!said.ec) s->put_as = h;
        co_return said;
    }

    static asio::awaitable<reply_answer> beat(state_pointer s, registration r, health h)
    {
        if (s->lease == 0) co_return forgotten("there is no lease");
        auto said = co_await s->wire.ask("/v3/lease/keepalive", write_etcd_lease(s->lease));
        if (said.ec) co_return answer(said);
        std::string why;
        auto const alive = read_etcd_lease(said.body, why);
        if (!alive) co_return garbled(why);
        if (alive->ttl == 0) {
            s->lease = 0;
            co_return forgotten("the lease ran out");
        }
        if (h != s->put_as) {
            said = co_await store(s, r, h);
            if (said.error.what != etcd_trouble::not_found) co_return answer(said);
            co_return forgotten("the lease ran out");
        }
        // The lease lives, but does the key? It may have been deleted, or written over.
        said = co_await s->wire.ask("/v3/kv/range", write_etcd_range(key_of(*s, r), {}, true));
        if (said.ec) co_return answer(said);
        auto const there = read_etcd_range(said.body, why);
        if (!there) co_return garbled(why);
        if (there->pairs.empty()) co_return forgotten("the key was deleted");
        // With a lease of its own, somebody else has registered this id after us: the younger one stays, lest the two
        // take it from each other for ever.
        if (there->pairs.front().lease == 0) co_return forgotten("the key was written over");
        co_return reply_answer();
    }

    static asio::awaitable<reply_answer> remove(state_pointer s, registration r)
    {
        if (s->lease != 0) {
            // Takes the key along, unless somebody else has it now.
            auto const said = co_await s->wire.ask("/v3/lease/revoke", write_etcd_lease(s->lease));
            if (said.error.what == etcd_trouble::not_found) co_return reply_answer();
            co_return answer(said);
        }
        if (!r.service.empty()) {
            auto const said = co_await s->wire.ask("/v3/kv/deleterange", write_etcd_delete(key_of(*s, r)));
            co_return answer(said);
        }
        // Somebody who knows no more than the id.
        auto const& prefix = s->config->options.prefix;
        auto const first = prefix.empty() ? std::string(1, '\0') : prefix + "/";
        auto all_keys = write_etcd_range(first, etcd_range_end(prefix.empty() ? "" : first), true);
        auto said = co_await s->wire.ask("/v3/kv/range", std::move(all_keys));
        if (said.ec) co_return answer(said);
        std::string why;
        auto const all = read_etcd_range(said.body, why);
        if (!all) co_return garbled(why);
        auto const end = "/" + etcd_key_part(r.id);
        for (auto const& p : all->pairs) {
            if (!p.key.ends_with(end)) continue;
            said = co_await s->wire.ask("/v3/kv/deleterange", write_etcd_delete(p.key));
            if (said.ec) co_return answer(said);
        }
        co_return reply_answer();
    }

    state_pointer state_;
};

}  // namespace weir::registry::detail
