// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "process.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace shop {

namespace {

struct pipe_ends {
    int read = -1, write = -1;
};

pipe_ends make_pipe()
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    return {ends[0], ends[1]};
}

// One for all children. Nothing is ever written: its end is the message.
pipe_ends const& leash()
{
    static pipe_ends const ends = make_pipe();
    return ends;
}

}  // namespace

child::child(asio::any_io_executor executor, std::vector<std::string> arguments) : output_(executor)
{
    auto const out = make_pipe();
    output_.assign(out.read);

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, leash().read, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out.write, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);  // Asio's sockets are inherited otherwise
    // A group of its own: Ctrl-C in the terminal is for the supervisor, who then ends its children in good order.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);

    std::vector<char*> argv{const_cast<char*>("shop")};
    for (auto& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    int const failed = ::posix_spawn(&pid_, "/proc/self/exe", &files, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    ::close(out.write);
    if (failed != 0) {
        pid_ = -1;
        throw std::system_error(failed, std::generic_category(), "cannot start a process of the shop");
    }
}

child::child(child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), output_(std::move(other.output_)) {}

child& child::operator=(child&& other) noexcept
{
    kill();
    pid_ = std::exchange(other.pid_, -1);
    output_ = std::move(other.output_);
    return *this;
}

void child::kill() noexcept
{
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
    pid_ = -1;
}

std::string child::how_it_ended()
{
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return "it says nothing";
    pid_ = -1;
    if (WIFSIGNALED(status)) return "ended by signal " + std::to_string(WTERMSIG(status));
    return "ended with status " + std::to_string(WEXITSTATUS(status)) + "; what it said is above";
}

asio::awaitable<std::uint16_t> child::ready()
{
    // A child that says nothing is closed from here after a while, which ends the read. The time may be over, and this
    // waiting to run, when the line comes after all; and then this child may have moved away.
    auto const reading = std::make_shared<bool>(true);
    asio::steady_timer limit{output_.get_executor(), std::chrono::seconds(10)};
    limit.async_wait([this, reading](boost::system::error_code ec) {
        if (!ec && *reading) output_.cancel();
    });
    std::string line;
    std::uint16_t port = 0;
    try {
        co_await asio::async_read_until(output_, asio::dynamic_buffer(line), '\n', asio::use_awaitable);
        std::from_chars(line.data(), line.data() + line.size(), port);
    }
    catch (boost::system::system_error const&) {
    }
    *reading = false;
    if (port == 0) throw std::runtime_error("a process of the shop did not start: " + how_it_ended());
    co_return port;
}

void say_ready(std::uint16_t port)
{
    std::printf("%u\n", static_cast<unsigned>(port));
    std::fflush(stdout);
}

asio::awaitable<void> until_parent_ends()
{
    asio::posix::stream_descriptor input{co_await asio::this_coro::executor, ::dup(STDIN_FILENO)};
    char byte;
    boost::system::error_code ec;
    while (!ec)
        co_await input.async_read_some(asio::buffer(&byte, 1), asio::redirect_error(asio::use_awaitable, ec));
}

void tie_to_parent() { ::prctl(PR_SET_PDEATHSIG, SIGKILL); }

void raise_descriptor_limit() noexcept
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace shop
