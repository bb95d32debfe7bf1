// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "web.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <string>
#include <vector>

#include <sys/types.h>

namespace shop {

/// A process of the shop: this program, started again. It ends with this object; and with its parent, however that
/// ends: the kernel kills it (PR_SET_PDEATHSIG), and its standard input, a pipe that only the parent holds open, ends
/// too.
class child {
public:
    /// Throws std::system_error when there is no process to be had.
    child(asio::any_io_executor executor, std::vector<std::string> arguments);
    child(child&& other) noexcept;
    child& operator=(child&& other) noexcept;
    ~child() { kill(); }

    /// The port that the process says it listens on. Throws std::runtime_error if it ends or says nothing for 10 s.
    [[nodiscard]] asio::awaitable<std::uint16_t> ready();

    /// SIGKILL, and waits until it is gone.
    void kill() noexcept;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

private:
    [[nodiscard]] std::string how_it_ended();

    pid_t pid_ = -1;
    asio::posix::stream_descriptor output_;
};

/// The child's side: tells the parent its port, and returns when the parent is gone.
void say_ready(std::uint16_t port);
[[nodiscard]] asio::awaitable<void> until_parent_ends();

/// To be called first in a child's main.
void tie_to_parent();

/// As many descriptors as the system grants: a shop in trouble has thousands of connections.
void raise_descriptor_limit() noexcept;

}  // namespace shop
