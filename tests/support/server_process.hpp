// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <support/temporary_directory.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::testing {

/// Ports of the loopback that were free a moment ago, for UDP and TCP, all different because all are held while asking.
inline std::vector<std::string> free_ports(std::size_t count)
{
    namespace ip = boost::asio::ip;
    boost::asio::io_context io;
    std::vector<ip::tcp::acceptor> held;
    std::vector<std::string> ports;
    while (ports.size() < count) {
        held.emplace_back(io, ip::tcp::endpoint(ip::address_v4::loopback(), 0));
        auto const port = held.back().local_endpoint().port();
        ip::udp::socket datagrams(io, ip::udp::v4());
        boost::system::error_code taken;
        if (!datagrams.bind(ip::udp::endpoint(ip::address_v4::loopback(), port), taken))
            ports.push_back(std::to_string(port));
    }
    return ports;
}

/// The program that the environment variable names, or that is on PATH or where daemons are; empty if there is none.
inline std::string find_program(char const* variable, std::string const& name)
{
    if (char const* const given = std::getenv(variable); given && *given) return given;
    std::stringstream path(std::string(std::getenv("PATH") ? std::getenv("PATH") : "") + ":/usr/sbin:/sbin");
    for (std::string directory; !name.empty() && std::getline(path, directory, ':');)
        if (auto const program = directory + "/" + name; ::access(program.c_str(), X_OK) == 0) return program;
    return {};
}

/// A real server as a child, which goes with this object, and with this process however it ends. What it says is
/// appended to a file.
class server_process {
public:
    server_process(std::vector<std::string> words, std::filesystem::path log)
        : words_(std::move(words)), log_(std::move(log))
    {
    }
    server_process(server_process const&) = delete;
    ~server_process() { stop(SIGKILL); }

    void start()
    {
        std::vector<char*> arguments;
        for (auto& w : words_) arguments.push_back(w.data());
        arguments.push_back(nullptr);
        auto const parent = ::getpid();
        process_ = ::fork();
        if (process_ < 0) throw std::runtime_error("cannot fork");
        if (process_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != parent) ::_exit(1);
            auto const out = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
            ::dup2(out, 1);
            ::dup2(out, 2);
            ::execv(arguments[0], arguments.data());
            ::_exit(127);
        }
    }

    void stop(int signal)
    {
        if (process_ <= 0) return;
        ::kill(process_, signal);
        ::kill(process_, SIGCONT);
        ::waitpid(process_, nullptr, 0);
        process_ = -1;
    }

    /// SIGSTOP, SIGCONT: it stays a child.
    void send(int signal) const
    {
        if (process_ > 0) ::kill(process_, signal);
    }

private:
    std::vector<std::string> words_;
    std::filesystem::path log_;
    pid_t process_ = -1;
};

/// The last of a log, for a message.
inline std::string end_of(std::filesystem::path const& log)
{
    std::stringstream text;
    text << std::ifstream(log).rdbuf();
    auto const all = text.str();
    return all.substr(all.size() - std::min<std::size_t>(all.size(), 3000));
}

}  // namespace weir::testing
