// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/endpoint.hpp>
#include <weir/core/time.hpp>
#include <weir/http/client_options.hpp>
#include <weir/http/message.hpp>
#include <weir/http/validate.hpp>
#include <weir/registry/detail/http_channel.hpp>
#include <weir/registry/detail/percent_encoded.hpp>
#include <weir/registry/detail/secret_file.hpp>
#include <weir/registry/secret.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// What each request of a registry client carries to show who asks: `header: prefix token`. With a file, the token is
/// its content without surrounding white space, read again after `reread` and when the server does not take it: tokens
/// in files rotate.
struct http_credentials {
    std::string header = "Authorization";
    std::string prefix = {};  ///< "Bearer ", "Basic ": in front of the token
    secret token = {};        ///< empty, and no file: nothing is sent
    std::string file = {};    ///< instead of `token`
    duration reread = std::chrono::minutes(1);
    bool forbidden_too = false;  ///< a token that is not taken is answered by 403, and not only by 401
};

/// Where a registry is reached over HTTP.
struct http_access_options {
    std::vector<endpoint> servers;  ///< at least one; only host and port are looked at
    std::string base = {};  ///< path in front of every target, not encoded: empty, or "/..." without a slash at the end
    http_credentials credentials = {};
    http::client_options connection = {};  ///< but for its timeout and idle_timeout
};

/// What the sessions of one registry client share: how to connect, which server is thought to be well, and the token.
/// Throws:  std::invalid_argument for a token that cannot be sent, std::runtime_error never.
/// Threads: any.
class http_access {
public:
    http_access(http_access_options o, http_channel_maker make) : options_(std::move(o)), make_(std::move(make))
    {
        options_.connection.check();
        options_.base = percent_encoded(options_.base, "/");
        if (options_.servers.empty()) throw std::invalid_argument("weir: a registry needs the address of a server");
        auto const& c = options_.credentials;
        if (!http::valid_field_value(c.token.reveal()) || !http::valid_field_value(c.prefix))
            throw std::invalid_argument("weir: a registry's token must be without control characters");
    }

    [[nodiscard]] http_access_options const& options() const noexcept { return options_; }
    [[nodiscard]] std::size_t servers() const noexcept { return options_.servers.size(); }

    [[nodiscard]] std::unique_ptr<http_channel> open(asio::any_io_executor strand, duration limit) const
    {
        auto o = options_.connection;
        o.timeout = limit;
        // The client repeats a request that died with a kept connection. A question that waits must not be repeated:
        // after the break its revision may be one of another life of the server, which then stays silent about what it
        // has now.
        o.idle_timeout = duration::zero();
        return make_(std::move(strand), std::move(o));
    }

    /// Which server to begin with.
    [[nodiscard]] std::size_t preferred() const noexcept { return preferred_.load(std::memory_order_relaxed); }

    /// Server `which` did not do its work. Returns the next to ask: the one that others found already, or the one after
    /// it, which is then preferred.
    std::size_t failed(std::size_t which) noexcept
    {
        auto const next = (which + 1) % servers();
        auto known = which;
        if (preferred_.compare_exchange_strong(known, next, std::memory_order_relaxed)) return next;
        return known;
    }

    /// The header's value; nothing when none is to be sent, or the file cannot be read: then `why` says so.
    [[nodiscard]] std::optional<secret> credentials(time_point now, std::string& why)
    {
        auto const& c = options_.credentials;
        if (c.file.empty()) {
            if (c.token.empty()) return std::nullopt;
            return secret(c.prefix + c.token.reveal());
        }
        std::lock_guard const lock(mutex_);
        if (!fresh_ || between(read_at_, now) >= c.reread) {
            if (auto text = read_secret_file(c.file); text && http::valid_field_value(*text)) {
                last_read_ = secret(c.prefix + *text);
                std::fill(text->begin(), text->end(), '\0');
                fresh_ = true;
                read_at_ = now;
            } else if (last_read_.empty()) {
                why = "cannot read a token from the file " + c.file;
            }
        }
        if (last_read_.empty()) return std::nullopt;
        return last_read_;
    }

    /// Whether this answer may mean that the token was not taken.
    [[nodiscard]] bool refuses_token(http::response const& a) const noexcept
    {
        return a.result() == http::status::unauthorized ||
               (a.result() == http::status::forbidden && options_.credentials.forbidden_too);
    }

    /// The server did not take `sent`. True: there is another one in the file now.
    [[nodiscard]] bool refused(secret const& sent, time_point now)
    {
        if (options_.credentials.file.empty()) return false;
        {
            std::lock_guard const lock(mutex_);
            if (last_read_.reveal() == sent.reveal()) fresh_ = false;
        }
        std::string why;
        auto const again = credentials(now, why);
        return again && again->reveal() != sent.reveal();
    }

private:
    http_access_options options_;
    http_channel_maker const make_;
    std::atomic<std::size_t> preferred_{0};
    std::mutex mutex_;
    secret last_read_;
    time_point read_at_{};
    bool fresh_ = false;
};

}  // namespace weir::registry::detail
