// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/endpoint.hpp>
#include <weir/core/errc.hpp>
#include <weir/http/message.hpp>
#include <weir/registry/detail/etcd_document.hpp>
#include <weir/registry/detail/http_access.hpp>
#include <weir/registry/detail/http_session.hpp>
#include <weir/registry/secret.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// What the conversations with one cluster share: how it is reached, who we are, and the token it gave us for that.
/// Threads: any.
class etcd_cluster {
public:
    etcd_cluster(std::vector<endpoint> servers, std::string user, secret password, http::client_options connection,
                 http_channel_maker make)
        : user_(std::move(user)), password_(std::move(password))
    {
        http_access_options o;
        o.servers = std::move(servers);
        o.connection = std::move(connection);
        access_ = std::make_shared<http_access>(std::move(o), std::move(make));
    }

    [[nodiscard]] std::shared_ptr<http_access> const& access() const noexcept { return access_; }
    [[nodiscard]] bool signs_in() const noexcept { return !user_.empty(); }
    [[nodiscard]] std::string_view password() const noexcept { return password_.reveal(); }
    [[nodiscard]] std::string credentials() const { return write_etcd_credentials(user_, password_.reveal()); }

    [[nodiscard]] secret token() const
    {
        std::lock_guard const lock(mutex_);
        return token_;
    }
    void set_token(secret t)
    {
        std::lock_guard const lock(mutex_);
        token_ = std::move(t);
    }

private:
    std::shared_ptr<http_access> access_;
    std::string user_;
    secret password_;
    mutable std::mutex mutex_;
    secret token_;
};

[[nodiscard]] inline boost::system::error_code to_error_code(etcd_trouble t)
{
    bool const later = t == etcd_trouble::unavailable || t == etcd_trouble::compacted;
    return make_error_code(later ? errc::registry_unavailable : errc::registry_refused);
}

/// What etcd said to one question.
struct etcd_said {
    boost::system::error_code ec;  ///< of the transport, or what `error` means
    etcd_error error;
    std::string body;  ///< without an error
};

/// Puts questions to etcd, and signs in where that is needed: before the first question, and again, once a question,
/// when the token is not taken any more. Copies share the session.
class etcd_wire {
public:
    etcd_wire(asio::any_io_executor strand, std::shared_ptr<etcd_cluster> cluster, duration limit)
        : cluster_(std::move(cluster)), http_(std::move(strand), cluster_->access(), limit)
    {
    }

    [[nodiscard]] http_session& http() noexcept { return http_; }

    [[nodiscard]] static http::request question(std::string_view target, std::string body)
    {
        auto r = http::post(target, std::move(body));
        // Without it, a member that has lost its leader lets questions and watches wait.
        r.set("Grpc-Metadata-hasleader", "true");
        return r;
    }

    asio::awaitable<etcd_said> ask(std::string target, std::string body)
    {
        for (bool again = true;; again = false) {
            auto said = co_await sign_in();
            if (said.ec) co_return said;
            said = co_await send(target, body);
            bool const renew = said.error.what == etcd_trouble::unauthenticated && cluster_->signs_in() && again;
            if (!renew) co_return said;
            sign_out();
        }
    }

    /// Takes a token that is there, or asks for one.
    asio::awaitable<etcd_said> sign_in()
    {
        etcd_said said;
        if (!cluster_->signs_in() || signed_in_) co_return said;
        if (auto known = cluster_->token(); !known.empty() && known.reveal() != token_.reveal()) {
            adopt(std::move(known));
            co_return said;
        }
        http_.authorize({});
        said = co_await send("/v3/auth/authenticate", cluster_->credentials());
        if (said.error.what == etcd_trouble::no_accounts) {
            signed_in_ = true;  // as anybody
            co_return etcd_said();
        }
        hide(said.error.note, cluster_->password());
        if (said.ec) co_return said;
        std::string why;
        auto token = read_etcd_token(said.body, why);
        said.body.clear();
        if (!token) {
            said.ec = make_error_code(errc::bad_document);
            said.error.note = why;
            co_return said;
        }
        adopt(secret(*std::move(token)));
        cluster_->set_token(token_);
        co_return said;
    }

    /// The token is not good any more.
    void sign_out() { signed_in_ = false; }

private:
    void adopt(secret token)
    {
        token_ = std::move(token);
        http_.authorize(token_);
        signed_in_ = true;
    }

    asio::awaitable<etcd_said> send(std::string target, std::string body)
    {
        auto r = question(target, std::move(body));
        auto [ec, answer] = co_await http_.async_send(std::move(r), asio::as_tuple(asio::use_awaitable));
        etcd_said said;
        said.ec = ec;
        if (ec) co_return said;
        if (answer.result() == http::status::ok) {
            said.body = std::move(answer.body());
            co_return said;
        }
        said.error = read_etcd_error(answer.result_int(), answer.body());
        said.ec = to_error_code(said.error.what);
        co_return said;
    }

    std::shared_ptr<etcd_cluster> cluster_;
    http_session http_;
    secret token_;
    bool signed_in_ = false;
};

}  // namespace weir::registry::detail
