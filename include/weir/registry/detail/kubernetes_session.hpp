// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/core/random.hpp>
#include <weir/http/message.hpp>
#include <weir/registry/detail/http_access.hpp>
#include <weir/registry/detail/http_session.hpp>
#include <weir/registry/detail/kubernetes_document.hpp>
#include <weir/registry/detail/kubernetes_table.hpp>
#include <weir/registry/detail/spawned.hpp>
#include <weir/registry/detail/watch_feed.hpp>
#include <weir/registry/kubernetes_options.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace weir::registry::detail {

/// What the conversations with one Kubernetes have in common.
struct kubernetes_config {
    kubernetes_config(kubernetes_options const& checked, http_channel_maker make) : options(checked)
    {
        auto const u = options.address();
        access = std::make_shared<http_access>(
            http_access_options{
                .servers = u.servers,
                .base = {},
                .credentials = {.prefix = "Bearer ", .token = options.token, .file = options.token_file},
                .connection = options.connection},
            std::move(make));
        options.watch.await_timeout = options.wait + options.timeout + std::chrono::seconds(15);
    }

    kubernetes_options options;
    std::shared_ptr<http_access> access;
};

/// One conversation about the EndpointSlices of one service: a watch_backend, with a watch that stays open between its
/// questions. It knows the protocol and no patience: when to ask again is for the watcher to say. Used from one strand.
class kubernetes_session {
    using config_pointer = std::shared_ptr<kubernetes_config const>;
    using answer = spawned_answer<listing>;
    using kind = feed_word::kind;

public:
    kubernetes_session(asio::any_io_executor strand, config_pointer c, duration limit)
        : state_(std::make_shared<state>(std::move(strand), std::move(c), limit))
    {
    }

    [[nodiscard]] duration retry_after() const { return state_->http.retry_after(); }
    void async_list(query const& q, listing_handler done)
    {
        spawn_for(state_->http.get_executor(), list(state_, q), std::move(done));
    }

    void async_await_change(query const& q, std::string const& revision, listing_handler done)
    {
        spawn_for(state_->http.get_executor(), await_change(state_, q, revision), std::move(done));
    }

private:
    struct state {
        state(asio::any_io_executor strand, config_pointer c, duration limit)
            : config(std::move(c)), http(std::move(strand), config->access, limit)
        {
        }
        state(state const&) = delete;
        // The feed is stopped where it runs.
        ~state()
        {
            if (feed) asio::post(http.get_executor(), [f = std::move(feed)] { f->stop(); });
        }

        config_pointer config;
        http_session http;
        query asked;  // that the rest is of
        kubernetes_service what;
        std::shared_ptr<kubernetes_table> table;
        std::shared_ptr<watch_feed> feed;
        std::string told;   // the revision of the last answer: the table goes on between questions
        bool beta = false;  // the server has only v1beta1: 1.17 to 1.20
    };
    using state_pointer = std::shared_ptr<state>;

    [[nodiscard]] static std::string target(state const& s)
    {
        auto const& space = s.what.space.empty() ? s.config->options.space : s.what.space;
        return std::string("/apis/discovery.k8s.io/") + (s.beta ? "v1beta1" : "v1") + "/namespaces/" + space +
               "/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D" + s.what.name;
    }

    [[nodiscard]] static answer failed(boost::system::error_code ec, std::string note)
    {
        listing l;
        l.note = std::move(note);
        return {ec, std::move(l)};
    }

    [[nodiscard]] static answer tell(state& s)
    {
        auto told = s.table->tell();
        s.told = std::get<1>(told).revision;
        std::get<1>(told).server = s.http.server();
        return told;
    }

    // Everything from the server's quorum, not from its cache, which may be older than what is known here.
    static asio::awaitable<answer> list(state_pointer s, query q)
    {
        if (auto const f = std::exchange(s->feed, nullptr)) f->stop();
        s->table = nullptr;
        s->asked = q;
        auto const what = read_kubernetes_service(q.service);
        if (!what)
            co_return failed(make_error_code(errc::registry_refused),
                             "a service is asked for as name[.namespace][:port]");
        if (!q.tag.empty())
            co_return failed(make_error_code(errc::registry_refused), "instances have no tags in Kubernetes");
        s->what = *what;
        for (bool again = true;; again = false) {
            auto r = http::get(target(*s));
            auto [ec, said] = co_await s->http.async_send(std::move(r), asio::as_tuple(asio::use_awaitable));
            if (ec) co_return failed(ec, {});
            if (said.result() == http::status::not_found && again) {
                s->beta = !s->beta;
                continue;
            }
            if (said.result() != http::status::ok) {
                auto const status = read_kubernetes_status(said.result_int(), said.body());
                co_return failed(judge_kubernetes(status), status.note);
            }
            std::string why;
            auto all = read_kubernetes_list(said.body(), q.service, s->what.port, why);
            auto table = std::make_shared<kubernetes_table>();
            if (all && !table->load(*std::move(all))) all.reset(), why = "too many instances";
            if (!all) co_return failed(make_error_code(errc::bad_document), why);
            s->table = std::move(table);
            co_return tell(*s);
        }
    }

    static asio::awaitable<answer> await_change(state_pointer s, query q, std::string revision)
    {
        if (!s->table || s->told != revision || s->asked != q) co_return co_await list(s, q);
        if (!s->feed) call(*s);
        auto const word = co_await next_word(s->feed);
        // The token may be another one by now: a question looks for it.
        if (word.what == kind::unauthorized) co_return co_await list(s, q);
        if (word.what == kind::failed) co_return failed(word.ec, word.note);
        auto told = tell(*s);
        if (word.what == kind::lost) std::get<1>(told).revision.clear();
        co_return told;
    }

    static void call(state& s)
    {
        auto const frame = [t = s.table, service = s.asked.service, port = s.what.port](json::value const& v) {
            std::string why;
            auto e = read_kubernetes_event(v, service, port, why);
            if (!e) return feed_word{kind::failed, make_error_code(errc::bad_document), why};
            auto const error = e->error;
            switch (t->apply(*std::move(e))) {
                case kubernetes_table::news::changed: return feed_word{kind::changed, {}, {}};
                case kubernetes_table::news::none: return feed_word();
                default: return judge(error);
            }
        };
        auto const refusal = [](unsigned code, std::string_view body) {
            return judge(read_kubernetes_status(code, body));
        };
        auto const& o = s.config->options;
        // Spread over a tenth, so that a fleet that started together does not come back together.
        auto& random = thread_random();
        auto const spread = static_cast<std::uint64_t>(o.wait.count() / 10);
        auto const open_for = o.wait - duration(static_cast<duration::rep>(uniform_below(random, spread)));
        auto const seconds = std::chrono::ceil<std::chrono::seconds>(open_for);
        s.feed = std::make_shared<watch_feed>(s.http,
                                              watch_feed_options{.open_limit = o.timeout,
                                                                 .silence = seconds + std::chrono::seconds(10),
                                                                 .silence_is_failure = true,
                                                                 .max_frame_bytes = o.connection.max_body_bytes},
                                              frame, refusal);
        // Without a limit, a watch from a version of the future would be silent for ever.
        s.feed->start(http::get(target(s) + "&watch=true&allowWatchBookmarks=true&resourceVersion=" +
                                s.table->revision() + "&timeoutSeconds=" + std::to_string(seconds.count())));
    }

    [[nodiscard]] static feed_word judge(kubernetes_status const& s)
    {
        auto const what = s.code == 410 ? kind::lost : s.code == 401 ? kind::unauthorized : kind::failed;
        return {what, judge_kubernetes(s), s.note};
    }

    state_pointer state_;
};

}  // namespace weir::registry::detail
