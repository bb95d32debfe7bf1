// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer_queue.hpp>
#include <weir/core/errc.hpp>
#include <weir/registry/detail/http_session.hpp>
#include <weir/registry/detail/nacos_document.hpp>
#include <weir/registry/nacos_options.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace weir::registry::detail {

/// What the conversations with the servers of one Nacos have in common: how they are reached, which interface they
/// have, and the token that they gave us. Threads: any.
class nacos_config {
public:
    nacos_config(nacos_options const& o, http_channel_maker make)
        : options(o.checked()), place{options.name_space, options.group, options.cluster}
    {
        auto const u = options.address();
        tls = u.tls;
        http_access_options a{
            .servers = u.servers, .base = u.path.empty() ? "/nacos" : u.path, .connection = options.connection};
        a.credentials.prefix = "Bearer ";
        a.credentials.token = options.token;
        a.credentials.file = options.token_file;
        a.credentials.forbidden_too = true;
        access = std::make_shared<http_access>(std::move(a), std::move(make));
        // A read has its own limit, so that a silent server is not waited for as long as a pause is.
        auto const poll = options.poll == duration::zero() ? duration(std::chrono::minutes(1)) : options.poll;
        options.watch.await_timeout = poll + options.timeout + std::chrono::seconds(1);
    }

    nacos_options options;
    nacos_place place;
    std::shared_ptr<http_access> access;
    bool tls = false;

    /// The interface to begin with: the one that last answered well.
    [[nodiscard]] nacos_api api() const { return options.api.value_or(api_.load(std::memory_order_relaxed)); }
    void learn(nacos_api which) { api_.store(which, std::memory_order_relaxed); }

    [[nodiscard]] bool signs_in() const { return !options.user.empty(); }

    /// What signing in gave; empty: nothing yet, or it is time for another.
    [[nodiscard]] secret token(time_point now) const
    {
        std::lock_guard const lock(mutex_);
        return now < renew_at_ ? token_ : secret();
    }
    void keep(secret t, time_point renew_at)
    {
        std::lock_guard const lock(mutex_);
        token_ = std::move(t);
        renew_at_ = renew_at;
    }
    /// `t` is not taken any more.
    void forget(secret const& t)
    {
        std::lock_guard const lock(mutex_);
        if (token_.reveal() == t.reveal()) renew_at_ = {};
    }

private:
    std::atomic<nacos_api> api_{nacos_api::v3};
    mutable std::mutex mutex_;
    secret token_;
    time_point renew_at_{};
};

/// What Nacos said to one question.
struct nacos_said {
    boost::system::error_code ec = {};  ///< of the transport, or of signing in
    std::string note = {};              ///< with it
    http::response answer = {};
    nacos_api api = nacos_api::v3;  ///< in whose words
};

/// Writes a question. (Named where it is used, because GCC 12 destroys some temporaries in a co_await twice.)
using nacos_question = std::function<http::request(nacos_api)>;

/// Puts questions to Nacos in the words of the interface that it has, and signs in where that is needed: before the
/// first question, before the token ends, and once a question when it is not taken any more.
class nacos_wire {
public:
    nacos_wire(asio::any_io_executor strand, std::shared_ptr<nacos_config> c, duration limit)
        : config_(std::move(c)),
          http_(std::move(strand), config_->access, limit > duration::zero() ? limit : config_->options.timeout)
    {
    }

    [[nodiscard]] http_session& http() noexcept { return http_; }

    asio::awaitable<nacos_said> ask(nacos_question make)
    {
        bool renewed = !config_->signs_in(), other = config_->options.api.has_value();
        auto api = config_->api();
        for (;;) {
            auto said = co_await sign_in();
            said.api = api;
            if (said.ec) co_return said;
            auto question = make(api);
            auto [ec, answer] = co_await http_.async_send(std::move(question), token);
            said.ec = ec;
            said.answer = std::move(answer);
            if (ec) co_return said;
            auto const status = said.answer.result_int();
            if ((status == 401 || status == 403) && !std::exchange(renewed, true)) {
                config_->forget(token_);
                continue;
            }
            // 410: "gone, use another". 404 without an envelope is of the framework, which does not know the path, but
            // for that one which v1 says of a configuration (ConfigServletInner.doGetConfig).
            auto const& body = said.answer.body();
            bool const knows = status != 410 &&
                               (status != 404 || body.starts_with("config data not exist") || read_nacos_verdict(body));
            if (knows || std::exchange(other, true)) co_return said;
            api = api == nacos_api::v3 ? nacos_api::v1 : nacos_api::v3;
        }
    }

private:
    static constexpr auto token = asio::as_tuple(asio::use_awaitable);

    [[nodiscard]] time_point now() const { return timer_queue::of(http_.get_executor()).now(); }

    asio::awaitable<nacos_said> sign_in()
    {
        nacos_said said;
        if (!config_->signs_in()) co_return said;
        auto known = config_->token(now());
        if (known.empty()) {
            http_.authorize({});
            std::string body;
            nacos_add(body, "username", config_->options.user);
            nacos_add(body, "password", config_->options.password.reveal());
            std::array paths{"/v3/auth/user/login", "/v1/auth/login"};
            if (config_->api() == nacos_api::v1) std::swap(paths[0], paths[1]);
            for (auto const* const path : paths) {
                auto question = http::post(path, body, "application/x-www-form-urlencoded");
                auto [ec, answer] = co_await http_.async_send(std::move(question), token);
                said.ec = ec;
                said.answer = std::move(answer);
                auto const status = said.answer.result_int();
                if (ec || (status != 404 && status != 405 && status != 410)) break;
            }
            if (said.ec) co_return said;
            if (said.answer.result_int() / 100 != 2) {
                hide(said.answer.body(), config_->options.password.reveal());
                hide(said.answer.body(), body.substr(body.rfind('=') + 1));
            }
            auto [bad, why] = judged(said.answer);
            said.ec = bad;
            said.note = "signing in: " + why.note;
            if (bad) co_return said;
            auto const read = read_nacos_token(said.answer.body(), said.note);
            if (!read || !http::valid_field_value(read->token)) {
                said.ec = make_error_code(errc::bad_document);
                co_return said;
            }
            known = secret(read->token);
            config_->keep(known, read->ttl == duration::zero() ? never : later(now(), read->ttl / 10 * 9));
        }
        token_ = known;
        http_.authorize(secret("Bearer " + known.reveal()));
        said = {};
        co_return said;
    }

    std::shared_ptr<nacos_config> config_;
    http_session http_;
    secret token_;
};

}  // namespace weir::registry::detail
