// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/bell.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/system/error_code.hpp>

#if defined(__linux__)
#include <sys/inotify.h>
#include <unistd.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#endif

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace weir::registry::detail {

/// A file, and a bell that rings when it may have changed: on Linux through inotify on its directory, because a watch
/// on the file itself ends when the file is replaced, as editors and Kubernetes' volumes do it (there by moving a
/// symbolic link in the directory). Where there is no inotify, or no more of it to be had, the bell is silent and the
/// caller has to look now and then. One inotify however many listen.
/// Threads: any.
class file_source : public std::enable_shared_from_this<file_source> {
public:
    file_source(asio::any_io_executor executor, std::filesystem::path file, std::size_t max_bytes)
        : bell(executor), strand_(asio::make_strand(executor)), file_(std::move(file)), max_bytes_(max_bytes)
    {
    }

    /// What happens in the directory from here on, and as long as somebody holds what is returned, rings the bell.
    [[nodiscard]] std::shared_ptr<void> listen();

    /// The whole file, or why not.
    [[nodiscard]] boost::system::error_code read(std::string& text, std::string& note) const;

    /// Different when the file is: cheaper than reading it.
    [[nodiscard]] std::string stamp() const;

    detail::bell bell;

private:
#if defined(__linux__)
    using descriptor = asio::posix::stream_descriptor;
    using buffer = std::array<char, 4096>;

    void wait_for_events(std::shared_ptr<descriptor> const& d);

    std::mutex mutex_;
    std::weak_ptr<descriptor> events_;
#endif
    asio::any_io_executor strand_;
    std::filesystem::path const file_;
    std::size_t const max_bytes_;
};

// Bodies

inline boost::system::error_code file_source::read(std::string& text, std::string& note) const
{
    auto const fail = [&](int e) {
        boost::system::error_code const ec(e, boost::system::system_category());
        note = "cannot read " + file_.string() + ": " + ec.message();
        return ec;
    };
    std::error_code unknown;
    if (auto const status = std::filesystem::status(file_, unknown);
        std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        return fail(EINVAL);  // a pipe would be waited for
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const f(std::fopen(file_.c_str(), "rb"), &std::fclose);
    if (!f) return fail(errno);
    text.clear();
    std::array<char, 16 * 1024> part;
    while (auto const n = std::fread(part.data(), 1, part.size(), f.get())) {
        if (text.size() + n > max_bytes_) {
            note = file_.string() + " is larger than " + std::to_string(max_bytes_) + " bytes";
            return make_error_code(errc::bad_document);
        }
        text.append(part.data(), n);
    }
    if (std::ferror(f.get())) return fail(EIO);
    return {};
}

inline std::string file_source::stamp() const
{
    std::error_code ec;
    auto const target = std::filesystem::canonical(file_, ec);  // through symbolic links, which may be what changed
    auto const when = std::filesystem::last_write_time(file_, ec);
    if (ec) return "none";
    auto const size = std::filesystem::file_size(file_, ec);
    return target.string() + '|' + std::to_string(when.time_since_epoch().count()) + '|' + std::to_string(size);
}

#if defined(__linux__)

inline std::shared_ptr<void> file_source::listen()
{
    std::lock_guard const lock(mutex_);
    if (auto known = events_.lock()) return known;
    int const fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return nullptr;
    auto const directory = file_.has_parent_path() ? file_.parent_path() : std::filesystem::path(".");
    constexpr auto what =
        IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    if (::inotify_add_watch(fd, directory.c_str(), what) < 0) {
        ::close(fd);
        return nullptr;
    }
    auto const fresh = std::make_shared<descriptor>(strand_, fd);
    events_ = fresh;
    wait_for_events(fresh);
    return fresh;
}

inline void file_source::wait_for_events(std::shared_ptr<descriptor> const& d)
{
    auto const into = std::make_shared<buffer>();
    // Held weakly: with the last who listens the descriptor goes, and ends the wait.
    auto const read = [weak = weak_from_this(), from = std::weak_ptr(d), into](boost::system::error_code ec,
                                                                               std::size_t n) {
        auto const self = weak.lock();
        auto const source = from.lock();
        if (!self || !source) return;
        bool gone = bool(ec);
        for (std::size_t at = 0; at + sizeof(inotify_event) <= n;) {
            inotify_event e;
            std::memcpy(&e, into->data() + at, sizeof(e));
            gone = gone || (e.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0;
            at += sizeof(e) + e.len;
        }
        // The directory went: whoever looks next listens to the one that has its name then.
        if (!gone) {
            self->wait_for_events(source);
        } else {
            std::lock_guard const lock(self->mutex_);
            if (self->events_.lock() == source) self->events_.reset();
        }
        self->bell.ring();
    };
    d->async_read_some(asio::buffer(*into), read);
}

#else

inline std::shared_ptr<void> file_source::listen() { return nullptr; }

#endif

}  // namespace weir::registry::detail
