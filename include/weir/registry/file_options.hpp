// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/registry/detail/registry_url.hpp>
#include <weir/registry/watch_options.hpp>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace weir::registry {

/// Options of registry::file.
struct file_options {
    /// `file:///etc/weir/services.json[?poll=10s]`; empty: `path` says it.
    std::string url = {};
    std::string path = {};                     ///< the file; without a URL it may be relative
    duration poll = std::chrono::seconds(10);  ///< how often it is looked at, besides being told of changes; from 10 ms
    duration patience = std::chrono::minutes(1);  ///< how long a question waits for a change
    std::size_t max_bytes = 8 * 1024 * 1024;      ///< of the file; a larger one is refused
    /// Its await_timeout is made of `patience`, whatever it says. Nobody wakes us for nothing.
    watch_options watch = {.pace = std::chrono::milliseconds(10)};

    /// With what the URL says in the fields. Throws: std::invalid_argument, naming the first field out of range.
    [[nodiscard]] file_options checked() const;
};

// Bodies

inline file_options file_options::checked() const
{
    using weir::detail::bad_option;
    auto o = *this;
    if (!url.empty()) {
        auto const u = detail::registry_url::parse(url, {.scheme = "file",
                                                         .example = "file:///etc/weir/services.json",
                                                         .parameters = {"poll"},
                                                         .servers = detail::registry_url_form::none,
                                                         .http = false});
        if (u.path.empty()) u.refuse("it must have the path of a file");
        o.path = u.path;
        o.poll = u.span("poll", o.poll);
    }
    if (o.path.empty()) throw std::invalid_argument("weir: file_options.path must not be empty");
    if (o.poll < std::chrono::milliseconds(10)) bad_option("file_options.poll", "at least 10 ms", o.poll);
    if (o.patience <= duration::zero()) bad_option("file_options.patience", "above 0 ms", o.patience);
    o.watch.await_timeout = later(time_point(o.patience), std::chrono::seconds(5)).time_since_epoch();
    o.watch.check();
    return o;
}

}  // namespace weir::registry
