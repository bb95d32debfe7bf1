// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/shared/detail/redis_script.hpp>
#include <weir/shared/limit_store.hpp>
#include <weir/shared/redis_link.hpp>
#include <weir/shared/redis_options.hpp>
#include <weir/shared/redis_reply.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir {

/// The store of a shared limit in Redis, 5 or newer: a script on Redis' own clock (detail/redis_script.hpp). With
/// several servers each key lives on one of them, chosen by rendezvous hashing: when one leaves the list, only its keys
/// move. Not for Redis Cluster, whose MOVED is refused: use servers that are none.
///
/// The script is loaded where Redis says that it does not know it. Redis should run with maxmemory-policy noeviction:
/// an evicted key has its whole burst again; so has one that a failover forgot.
///
/// Fails:   store_errc::unavailable: no connection; READONLY, LOADING, MASTERDOWN, CLUSTERDOWN, TRYAGAIN, BUSY, OOM.
///          store_errc::refused: every other error of Redis, MOVED among them, of which last_error has the text.
///          store_errc::bad_answer: a reply of another shape. Others as redis_link. Nothing is asked twice but for the
///          script.
/// Threads: any. Lifetimes: its context outlives it; questions end with it.
/// Seen in: examples/33_shared_limit.cpp
template <class Transport = http::plain_transport>
class basic_redis_store {
public:
    using options = redis_options;
    using executor_type = asio::any_io_executor;

    /// Throws: std::invalid_argument.
    explicit basic_redis_store(executor_type const& executor, redis_options const& o = {}, Transport transport = {})
        : core_(std::make_shared<core>(executor, o, transport))
    {
    }
    basic_redis_store(basic_redis_store const&) = delete;
    basic_redis_store& operator=(basic_redis_store const&) = delete;
    ~basic_redis_store()
    {
        for (auto& l : core_->links) l.stop();
    }

    template <class Handler>
    void async_acquire(permit_request const& r, Handler&& handler);
    template <class Handler>
    void async_give_back(permit_return const& r, Handler&& handler);

    [[nodiscard]] std::size_t shards() const noexcept { return core_->links.size(); }
    [[nodiscard]] std::size_t shard_of(std::string_view key) const noexcept;
    [[nodiscard]] basic_redis_link<Transport>& link(std::size_t shard) noexcept { return core_->links[shard]; }

    /// What Redis said last when it refused, fit for a log.
    [[nodiscard]] std::string last_error() const
    {
        std::scoped_lock const lock(core_->mutex);
        return core_->last_error;
    }

private:
    struct core {
        core(executor_type const& e, redis_options const& o, Transport const& transport) : prefix(o.prefix), executor(e)
        {
            o.check();
            for (auto const& s : o.servers) {
                names.push_back(s.host + ':' + std::to_string(s.port));
                links.emplace_back(e, s, o, transport);
            }
        }
        std::string prefix;
        executor_type executor;
        std::vector<std::string> names;
        std::vector<basic_redis_link<Transport>> links;
        weir::mutex mutex;
        std::string last_error;
    };

    template <class Handler, class Read>
    struct question;

    template <class Handler, class Read>
    void ask(std::string const& key, std::vector<std::string> const& numbers, Read read, Handler&& handler);

    std::shared_ptr<core> core_;
};

using redis_store = basic_redis_store<>;

// Bodies

namespace detail {

/// FNV-1a, and the finalizer of MurmurHash3: the same in every process, whatever it was built with.
[[nodiscard]] inline std::uint64_t rendezvous_weight(std::string_view server, std::string_view key) noexcept
{
    std::uint64_t h = 14695981039346656037U;
    for (auto const part : {server, std::string_view("\0", 1), key})
        for (char const c : part) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211U;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdU;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53U;
    return h ^ (h >> 33);
}

/// What an error reply of Redis means for a limiter.
[[nodiscard]] inline store_errc redis_error(std::string_view text) noexcept
{
    constexpr std::array<std::string_view, 8> passing{"READONLY ", "LOADING ", "MASTERDOWN ", "CLUSTERDOWN ",
                                                      "TRYAGAIN ", "BUSY ",    "OOM ",        "MISCONF "};
    for (auto const p : passing)
        if (text.starts_with(p)) return store_errc::unavailable;
    return store_errc::refused;
}

[[nodiscard]] inline std::string redis_number(double d)
{
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, d).ptr};
}

/// {permits, microseconds, stamp}
struct read_redis_grant {
    using values = std::tuple<permit_grant>;
    std::uint64_t most = 0;

    [[nodiscard]] std::error_code operator()(redis_value const& v, values& out) const noexcept
    {
        if (!v.is_array() || v.size() != 3) return store_errc::bad_answer;
        for (std::size_t i = 0; i < 3; ++i)
            if (!v[i].is_integer() || v[i].integer() < 0) return store_errc::bad_answer;
        constexpr long long longest = 1'000'000'000'000;  // microseconds: eleven days
        auto& g = std::get<0>(out);
        g.permits = static_cast<std::uint64_t>(v[0].integer());
        g.retry_after = std::chrono::microseconds(std::min(v[1].integer(), longest));
        g.stamp = static_cast<std::uint64_t>(v[2].integer());
        return g.permits > most ? std::error_code(store_errc::bad_answer) : std::error_code();
    }
};

struct read_redis_return {
    using values = std::tuple<>;

    [[nodiscard]] std::error_code operator()(redis_value const& v, values&) const noexcept
    {
        return v.is_integer() ? std::error_code() : std::error_code(store_errc::bad_answer);
    }
};

}  // namespace detail

template <class Transport>
std::size_t basic_redis_store<Transport>::shard_of(std::string_view key) const noexcept
{
    std::size_t best = 0;
    std::uint64_t most = 0;
    for (std::size_t i = 0; i < core_->names.size(); ++i)
        if (auto const w = detail::rendezvous_weight(core_->names[i], key); i == 0 || w > most) {
            best = i;
            most = w;
        }
    return best;
}

/// One question: the script, and where Redis does not know it, the script's text and the same again, in one write.
template <class Transport>
template <class Handler, class Read>
struct basic_redis_store<Transport>::question {
    using executor_type = asio::associated_executor_t<Handler, asio::any_io_executor>;

    std::shared_ptr<core> shared;
    std::size_t shard;
    std::string wire;
    Read read;
    Handler handler;
    bool loaded = false;

    [[nodiscard]] executor_type get_executor() const noexcept
    {
        return asio::get_associated_executor(handler, shared->executor);
    }

    void operator()(boost::system::error_code ec, redis_reply const& reply)
    {
        typename Read::values out;
        auto const v = reply.value();
        if (!ec && v.is_error()) {
            if (!loaded && v.text().starts_with("NOSCRIPT")) return load();
            ec = std::error_code(detail::redis_error(v.text()));
            std::string said;
            for (char const c : v.text().substr(0, 200)) said += c >= 0x20 && c < 0x7f ? c : '?';
            std::scoped_lock const lock(shared->mutex);
            shared->last_error = std::move(said);
        } else if (!ec) {
            if (auto const bad = read(v, out)) ec = bad;
        }
        std::apply([&](auto&... o) { std::move(handler)(ec, o...); }, out);
    }

private:
    void load()
    {
        // Not EVAL: what came by that may be thrown out again at any time.
        loaded = true;
        auto const there = shared;
        auto& l = there->links[shard];
        auto again = wire;
        l.async_command(redis_command({"SCRIPT", "LOAD", detail::redis_script}),
                        [](boost::system::error_code, redis_reply const&) {});
        l.async_command(std::move(again), std::move(*this));
    }
};

template <class Transport>
template <class Handler, class Read>
void basic_redis_store<Transport>::ask(std::string const& key, std::vector<std::string> const& numbers, Read read,
                                       Handler&& handler)
{
    auto const shard = shard_of(key);
    auto const name = core_->prefix + key;
    std::vector<std::string_view> words{"EVALSHA", detail::redis_script_sha1, "1", name};
    words.insert(words.end(), numbers.begin(), numbers.end());
    auto wire = redis_command(words);
    using op = question<std::decay_t<Handler>, Read>;
    core_->links[shard].async_command(wire, op{core_, shard, wire, read, std::forward<Handler>(handler)});
}

template <class Transport>
template <class Handler>
void basic_redis_store<Transport>::async_acquire(permit_request const& r, Handler&& handler)
{
    using detail::redis_number;
    ask(r.key,
        {redis_number(r.interval.count()), redis_number(r.tolerance.count()), std::to_string(r.want),
         std::to_string(r.least), redis_number(r.share), redis_number(micros(r.hold).count())},
        detail::read_redis_grant{r.want}, std::forward<Handler>(handler));
}

template <class Transport>
template <class Handler>
void basic_redis_store<Transport>::async_give_back(permit_return const& r, Handler&& handler)
{
    ask(r.key, {detail::redis_number(r.interval.count()), std::to_string(r.permits), std::to_string(r.stamp)},
        detail::read_redis_return{}, std::forward<Handler>(handler));
}

}  // namespace weir
