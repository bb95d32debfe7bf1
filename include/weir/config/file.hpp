// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/config/source.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/registry/detail/file_watch.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace weir::config {

struct file_options {
    /// How often to read the file where the kernel does not tell of changes; from 10 ms.
    duration poll = std::chrono::seconds(1);
    std::size_t max_bytes = 16 << 20;           ///< a longer file is an error; at least 1
    std::optional<config::format> format = {};  ///< empty: by the name; .yaml and .yml are YAML, all others JSON
};

/// The whole of a file, read anew whenever it changes: a plain file, or one in a Kubernetes ConfigMap volume (mounted
/// as a directory: one that is mounted by subPath never changes). Its version is a hash of the text.
/// Replace the file by renaming another one to it. One that is written in place may be read half-written; then it is
/// refused, if its braces do not close, and read again when the writer closes it.
///
///   weir::config::refresh refresh(executor, weir::config::file("/etc/shop/limits.json"), std::move(bound));
///
/// Throws:  construction, std::invalid_argument for the options, or a path that names no file.
/// Cost:    reading blocks the thread for as long as the file system takes: on a network that hangs, so does the
///          strand.
/// Seen in: examples/32_hot_refresh.cpp
class file {
public:
    explicit file(std::filesystem::path path, file_options o = {});

    [[nodiscard]] std::filesystem::path const& path() const noexcept { return path_; }

    class conversation;
    [[nodiscard]] conversation open(asio::any_io_executor strand) const;

private:
    [[nodiscard]] std::tuple<boost::system::error_code, loaded> read() const;

    std::filesystem::path path_;
    file_options options_;
};

class file::conversation {
public:
    conversation(file f, asio::any_io_executor strand)
        : state_(std::make_shared<state>(std::move(f), std::move(strand)))
    {
    }

    void async_load(loaded_handler done) { look(std::nullopt, std::move(done)); }
    void async_await_change(std::string const& version, loaded_handler done) { look(version, std::move(done)); }
    [[nodiscard]] duration await_timeout() const { return duration::max(); }  // a file has no connection to lose

private:
    struct state {
        state(file f, asio::any_io_executor strand)
            : from(std::move(f)), executor(strand), watch(std::move(strand), from.path_, from.options_.poll)
        {
        }
        file from;
        asio::any_io_executor executor;
        registry::detail::file_watch watch;
    };

    void look(std::optional<std::string> known, loaded_handler done)
    {
        asio::async_compose<loaded_handler, void(boost::system::error_code, loaded)>(
            [s = state_, known = std::move(known), started = false](auto& self,
                                                                    boost::system::error_code = {}) mutable {
                if (!std::exchange(started, true)) {
                    self.reset_cancellation_state(asio::enable_total_cancellation());
                    return asio::post(s->executor, std::move(self));
                }
                if (self.get_cancellation_state().cancelled() != asio::cancellation_type::none)
                    return self.complete(asio::error::operation_aborted, loaded{});
                s->watch.arm();
                auto const before = registry::detail::stamp_of(s->from.path_);
                auto [ec, l] = s->from.read();
                // Written to while it was read, it is neither the old nor the new.
                if (!known ||
                    (before == registry::detail::stamp_of(s->from.path_) && (ec || l.document.version != *known)))
                    return self.complete(ec, std::move(l));
                auto const held = s;
                held->watch.async_wait(std::move(self));
            },
            done, state_->executor);
    }

    std::shared_ptr<state> state_;
};

// Bodies

namespace detail {

/// FNV-1a of 64 bits (Fowler, Noll, Vo), to tell versions of a text apart; no defence against who wants two alike.
[[nodiscard]] inline std::string text_hash(std::string_view text)
{
    std::uint64_t h = 0xcbf29ce484222325;
    for (char const c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    std::string out(16, '0');
    for (auto digit = out.rbegin(); digit != out.rend(); ++digit, h >>= 4) *digit = "0123456789abcdef"[h & 15];
    return out;
}

}  // namespace detail

inline file::file(std::filesystem::path path, file_options o) : path_(std::move(path)), options_(std::move(o))
{
    using weir::detail::bad_option;
    if (path_.filename().empty())
        throw std::invalid_argument("weir: config::file needs the path of a file, and was given \"" + path_.string() +
                                    '"');
    if (options_.poll < std::chrono::milliseconds(10)) bad_option("file_options.poll", "at least 10 ms", options_.poll);
    if (options_.max_bytes == 0) bad_option("file_options.max_bytes", "at least 1", options_.max_bytes);
    if (!options_.format) {
        auto const extension = path_.extension();
        options_.format = extension == ".yaml" || extension == ".yml" ? format::yaml : format::json;
    }
}

inline file::conversation file::open(asio::any_io_executor strand) const { return {*this, std::move(strand)}; }

inline std::tuple<boost::system::error_code, loaded> file::read() const
{
    loaded l;
    l.document.format = *options_.format;
    auto const fail = [&](std::string why, int code) {
        l.note = path_.string() + ": " + std::move(why);
        return std::tuple(boost::system::error_code(code, boost::system::system_category()), std::move(l));
    };
    std::error_code ec;
    auto const kind = std::filesystem::status(path_, ec).type();
    if (kind == std::filesystem::file_type::not_found) {
        l.missing = true;
        l.note = path_.string() + ": there is no such file";
        return {boost::system::error_code(), std::move(l)};
    }
    if (ec) return fail(ec.message(), ec.value());
    if (kind != std::filesystem::file_type::regular)  // a pipe would hold the thread for ever
        return fail("is not a regular file", EINVAL);
    errno = 0;
    std::ifstream in(path_, std::ios::binary);
    if (!in) return fail("cannot be opened", errno != 0 ? errno : EIO);
    auto& text = l.document.bytes;
    char block[16384];
    while (in.read(block, sizeof block), in.gcount() > 0) {
        text.append(block, static_cast<std::size_t>(in.gcount()));
        if (text.size() > options_.max_bytes) {
            text.clear();
            return fail("is longer than " + std::to_string(options_.max_bytes) + " bytes", EFBIG);
        }
    }
    if (in.bad()) return fail("cannot be read", errno != 0 ? errno : EIO);
    l.document.version = detail::text_hash(text);
    return {boost::system::error_code(), std::move(l)};
}

}  // namespace weir::config
