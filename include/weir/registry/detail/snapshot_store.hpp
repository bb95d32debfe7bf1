// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/random.hpp>
#include <weir/registry/detail/file_document.hpp>
#include <weir/registry/detail/file_source.hpp>
#include <weir/registry/detail/percent_encoded.hpp>
#include <weir/registry/snapshot.hpp>

#include <boost/asio/any_io_executor.hpp>

#if defined(__unix__)
#include <unistd.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace weir::registry {

/// Options of registry::caching.
struct caching_options {
    duration pace = std::chrono::seconds(5);  ///< a query's set is written no more often than this
    std::size_t max_bytes = 8 * 1024 * 1024;  ///< of one file: larger ones are neither written nor read
    std::size_t max_files = 1000;             ///< in the directory: beyond, new queries are not kept

    /// Throws: std::invalid_argument, naming the first field that is out of range.
    void check() const
    {
        using weir::detail::bad_option;
        if (pace < duration::zero()) bad_option("caching_options.pace", "at least 0 ms", pace);
        if (max_bytes == 0) bad_option("caching_options.max_bytes", "at least 1", max_bytes);
        if (max_files == 0) bad_option("caching_options.max_files", "at least 1", max_files);
    }
};

/// How a cache on disk does.
struct caching_status {
    std::uint64_t read = 0;     ///< sets found at a start
    std::uint64_t refused = 0;  ///< files that were not what they should be
    std::uint64_t written = 0;
    std::uint64_t failed = 0;  ///< sets that could not be written
    std::string note{};        ///< why the last one could not be read or written
};

namespace detail {

/// Sets on disk, one file for a query, written whole or not at all. Threads: any.
class snapshot_store {
public:
    snapshot_store(std::filesystem::path directory, caching_options o)
        : directory_(std::move(directory)), options_((o.check(), o))
    {
        std::error_code ec;
        std::filesystem::create_directories(directory_, ec);
        if (ec || !std::filesystem::is_directory(directory_))
            throw std::invalid_argument("weir: caching needs a directory, and cannot have " + directory_.string());
    }

    [[nodiscard]] caching_options const& options() const noexcept { return options_; }

    /// What was kept for `q`, exactly as it was written, or nothing.
    [[nodiscard]] std::shared_ptr<snapshot const> read(asio::any_io_executor const& executor, query const& q);

    void write(query const& q, snapshot const& s);

    [[nodiscard]] caching_status status() const
    {
        std::lock_guard const lock(mutex_);
        return status_;
    }

private:
    [[nodiscard]] std::filesystem::path file_of(query const& q) const;
    [[nodiscard]] std::string put(std::filesystem::path const& file, std::string const& text) const;

    std::filesystem::path const directory_;
    caching_options const options_;
    mutable std::mutex mutex_;
    caching_status status_;
};

/// Writes the newest of what it is offered, at a pace. Threads: any.
class snapshot_writer : public std::enable_shared_from_this<snapshot_writer> {
public:
    snapshot_writer(asio::any_io_executor executor, std::shared_ptr<snapshot_store> store, query q)
        : store_(std::move(store)), query_(std::move(q)), clock_(std::move(executor))
    {
    }

    void offer(std::shared_ptr<snapshot const> s)
    {
        std::lock_guard const lock(mutex_);
        // Emptiness is no help at a start, and what is not live has been written when it was.
        if (s->from != origin::live || s->instances->empty() || s->instances == last_) return;
        last_ = s->instances;
        if (std::exchange(newest_, std::move(s))) return;  // a writing is coming, and takes this one
        clock_.async_wait_until(next_, [weak = weak_from_this()](boost::system::error_code ec) {
            auto const self = weak.lock();
            if (!ec && self) self->write();
        });
    }

private:
    void write()
    {
        std::shared_ptr<snapshot const> s;
        {
            std::lock_guard const lock(mutex_);
            s = std::exchange(newest_, nullptr);
            next_ = later(clock_.now(), store_->options().pace);
        }
        store_->write(query_, *s);
    }

    std::shared_ptr<snapshot_store> store_;
    query query_;
    weir::timer clock_;
    std::mutex mutex_;
    std::shared_ptr<snapshot const> newest_;
    std::shared_ptr<snapshot::list const> last_;
    time_point next_{};
};

}  // namespace detail

// Bodies

inline std::filesystem::path detail::snapshot_store::file_of(query const& q) const
{
    auto name = percent_encoded(q.service);
    for (auto const& part : {q.tag, q.datacenter}) name += "+" + percent_encoded(part);
    if (name.size() > 200) name = name.substr(0, 150) + "+" + std::to_string(std::hash<std::string>{}(name));
    return directory_ / (name + ".json");
}

inline std::shared_ptr<snapshot const> detail::snapshot_store::read(asio::any_io_executor const& executor,
                                                                    query const& q)
{
    auto const file = file_of(q);
    std::error_code none;
    if (!std::filesystem::exists(file, none)) return nullptr;
    auto const written = std::filesystem::last_write_time(file, none);
    std::string text;
    listing all;
    auto ec = file_source(executor, file, options_.max_bytes).read(text, all.note);
    if (!ec) ec = read_file_document(text, q, all);
    std::lock_guard const lock(mutex_);
    // We wrote it, so there is nothing in it that one could do without.
    if (ec || all.skipped != 0 || all.instances.empty()) {
        ++status_.refused;
        status_.note = file.string() + ": " + (all.note.empty() ? "it has no instances of the query" : all.note);
        return nullptr;
    }
    ++status_.read;
    normalize(all.instances);
    auto s = std::make_shared<snapshot>();
    auto const age =
        none ? duration::zero()
             : std::chrono::duration_cast<duration>(std::filesystem::file_time_type::clock::now() - written);
    s->version = 1;
    s->from = origin::cached;
    s->as_of = weir::now(executor) - std::clamp(age, duration::zero(), duration(std::chrono::hours(24 * 365)));
    s->instances = std::make_shared<snapshot::list const>(std::move(all.instances));
    return s;
}

inline void detail::snapshot_store::write(query const& q, snapshot const& s)
{
    auto const text = write_file_document(q.service, *s.instances);
    auto const why = put(file_of(q), text);
    std::lock_guard const lock(mutex_);
    if (why.empty())
        ++status_.written;
    else
        ++status_.failed, status_.note = why;
}

inline std::string detail::snapshot_store::put(std::filesystem::path const& file, std::string const& text) const
{
    if (text.size() > options_.max_bytes) return file.string() + " would be too large";
    std::error_code ec;
    if (!std::filesystem::exists(file, ec)) {
        std::filesystem::directory_iterator const all(directory_, ec);
        if (!ec && static_cast<std::size_t>(std::distance(begin(all), end(all))) >= options_.max_files)
            return "the directory " + directory_.string() + " is full";
    }
    // Beside it, so that the renaming is one step; on the disk before it, so that a crash leaves the one or the other.
    auto const fresh = std::filesystem::path(file.string() + "." + std::to_string(thread_random()()) + ".new");
    bool good = false;
    {
        std::unique_ptr<std::FILE, int (*)(std::FILE*)> f(std::fopen(fresh.c_str(), "wbx"), &std::fclose);
        if (!f) return "cannot write " + fresh.string();
        good = std::fwrite(text.data(), 1, text.size(), f.get()) == text.size() && std::fflush(f.get()) == 0;
#if defined(__unix__)
        good = good && ::fsync(::fileno(f.get())) == 0;
#endif
        good = std::fclose(f.release()) == 0 && good;
    }
    if (good) std::filesystem::rename(fresh, file, ec);
    if (good && !ec) return {};
    std::filesystem::remove(fresh, ec);
    return "cannot write " + file.string();
}

}  // namespace weir::registry
