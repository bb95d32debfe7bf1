// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/file_session.hpp>
#include <weir/registry/detail/network_registry.hpp>
#include <weir/registry/file_options.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string_view>
#include <utility>

namespace weir::registry {

/// Services written down in a file, which is read again when it changes:
///
///   {"services": {"inventory": ["10.0.0.7:8080", "[fd00::7]:8080",
///                               {"id": "c", "address": "10.0.0.9", "port": 8080, "weight": 2, "zone": "eu-1",
///                                "state": "warning", "tags": ["canary"], "meta": {"version": "7"}}],
///                 "payment": []}}
///
/// Of an instance only address and port are needed; without an id it is called <service>-<address>-<port>. Unknown
/// fields of an instance are refused, and an entry that cannot be used is left out; other members of the document are
/// not looked at. A service that is not there has no instances, which is doubted like any emptiness.
/// Replace the file by renaming another one over it: whoever writes into it in place lets half a document be seen,
/// which is refused. Kubernetes' ConfigMap volumes are fine, but for `subPath`, which Kubernetes never updates.
///
///   weir::registry::file registry(io.get_executor(), {.url = "file:///etc/weir/services.json"});
///   auto watch = registry.watch({"inventory"});
///
/// What the watcher promises holds here: see watcher.hpp. Nothing can be registered.
/// Errors:    the system's, for a file that cannot be read; errc::bad_document.
/// Throws:    std::invalid_argument, naming the field of file_options.
/// Threads:   any. Reading blocks the thread, as reading local files does.
/// Cost:      on Linux one inotify for all watches; elsewhere changes are seen within `poll`.
/// Members:   async_resolve, watch: see detail/network_registry.hpp.
/// Seen in:   examples/34_registries_by_url.cpp
class file : public detail::network_registry {
public:
    using options = file_options;
    static constexpr std::string_view scheme = "file";

    explicit file(executor_type executor, options const& o)
        : file(std::make_shared<detail::file_config const>(executor, o), executor)
    {
    }

private:
    file(std::shared_ptr<detail::file_config const> const& c, executor_type const& executor)
        : network_registry(executor, {.watch = c->options.watch},
                           [c](executor_type const& strand, duration) { return detail::file_session(strand, c); })
    {
    }
};

}  // namespace weir::registry
