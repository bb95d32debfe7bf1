// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/time.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include <sys/stat.h>
#if defined(__linux__)
#include <sys/inotify.h>
#include <unistd.h>
#endif

namespace weir::registry::detail {

/// Wakes who waits for a file to change. The directory is watched, and not the file: a file that is replaced, as every
/// careful writer does, takes a watch on it to its grave; and in a Kubernetes volume nothing but the link `..data` in
/// the directory changes. Where the kernel tells nothing (a network, another directory behind a link, another system),
/// a look every `poll` finds it.
///
///   begin with `arm()`; then look at the file; if it is as before, `async_wait`, and again from `arm()`
///
/// What happens after `arm` ends the wait. Waits end without a change, too: look.
/// Threads: one strand.   Cost: a descriptor, which is shared by nobody.
class file_watch {
public:
    file_watch(asio::any_io_executor strand, std::filesystem::path const& file, duration poll)
        : state_(std::make_shared<state>(std::move(strand), file, poll))
    {
    }

    /// Watches the directory, if it is there now and was not watched.
    void arm()
    {
#if defined(__linux__)
        state_->arm(state_);
#endif
    }

    /// Signature: void(boost::system::error_code), of no meaning. Cancellation: all types.
    template <class Handler>
    void async_wait(Handler&& handler)
    {
        state_->nap.async_wait_for(state_->poll, std::forward<Handler>(handler));
    }

    ~file_watch()
    {
        if (state_) state_->close();
    }
    file_watch(file_watch&&) = default;
    file_watch& operator=(file_watch&&) = delete;

private:
    struct state {
        state(asio::any_io_executor e, std::filesystem::path const& file, duration p)
            : poll(p), name(file.filename().string()), directory(file.parent_path()), nap(e), events(e)
        {
            if (directory.empty()) directory = ".";
        }

        void close()
        {
            boost::system::error_code ignored;
            events.close(ignored);
            nap.cancel();
        }

#if defined(__linux__)
        void arm(std::shared_ptr<state> const& self)
        {
            if (!events.is_open()) {
                auto const fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
                if (fd < 0) return;  // none left: then by looking
                events.assign(fd);
                listen(self);
            }
            if (watched < 0)
                watched = ::inotify_add_watch(events.native_handle(), directory.c_str(),
                                              IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE |
                                                  IN_DELETE_SELF | IN_MOVE_SELF);
        }

        static void listen(std::shared_ptr<state> const& self)
        {
            self->events.async_wait(asio::posix::stream_descriptor::wait_read,
                                    [weak = std::weak_ptr(self)](boost::system::error_code ec) {
                                        auto const s = weak.lock();
                                        if (!s || ec) return;
                                        if (s->read()) s->nap.cancel();
                                        listen(s);
                                    });
        }

        /// Takes in what the kernel has to say. True: it may be about the file.
        bool read()
        {
            bool ours = false;
            alignas(inotify_event) char buffer[4096];
            for (;;) {
                auto const n = ::read(events.native_handle(), buffer, sizeof buffer);
                if (n <= 0) return ours;
                for (std::size_t at = 0; at < static_cast<std::size_t>(n);) {
                    inotify_event e;
                    std::memcpy(&e, buffer + at, sizeof e);
                    auto const* const text = buffer + at + sizeof e;
                    std::string_view const who(text, e.len != 0 ? ::strnlen(text, e.len) : 0);
                    at += sizeof e + e.len;
                    if ((e.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0) {
                        if ((e.mask & IN_MOVE_SELF) != 0) (void)::inotify_rm_watch(events.native_handle(), watched);
                        watched = -1;  // the directory went away; another may come
                    }
                    // A file that is only created has nothing in it yet; a link is complete at once.
                    bool const created = (e.mask & IN_CREATE) != 0;
                    ours = ours || watched < 0 || (e.mask & IN_Q_OVERFLOW) != 0 || who == "..data" ||
                           (who == name && (!created || linked()));
                }
            }
        }

        [[nodiscard]] bool linked() const
        {
            std::error_code ec;
            return std::filesystem::is_symlink(directory / name, ec);
        }

        int watched = -1;
#endif

        duration poll;
        std::string name;
        std::filesystem::path directory;
        weir::timer nap;
        asio::posix::stream_descriptor events;
    };

    std::shared_ptr<state> state_;
};

/// A file's identity and state: equal if it was not written to or replaced, as far as the file system can tell.
using file_stamp = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::int64_t>;

[[nodiscard]] inline std::optional<file_stamp> stamp_of(std::filesystem::path const& file) noexcept
{
    struct ::stat s;
    if (::stat(file.c_str(), &s) != 0) return std::nullopt;
    return file_stamp(s.st_dev, s.st_ino, s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
}

}  // namespace weir::registry::detail
