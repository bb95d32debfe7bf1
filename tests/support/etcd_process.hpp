// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/endpoint.hpp>

#include <support/server_process.hpp>
#include <support/temporary_directory.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace weir::testing {

/// A real etcd of one member, on loopback ports and in a directory of its own.
class etcd_process {
public:
    /// Empty: there is none.
    static std::string program() { return find_program("WEIR_ETCD", "etcd"); }

    void start() { process_.start(); }
    void stop(int signal) { process_.stop(signal); }
    /// While it is stopped: it has lost all it knew, and will be another cluster, as it says itself.
    void forget() { std::filesystem::remove_all(home_.path() / "data"); }

    [[nodiscard]] std::string url() const { return "etcd://127.0.0.1:" + ports_[0]; }
    [[nodiscard]] weir::endpoint endpoint() const
    {
        return {.id = "etcd", .host = "127.0.0.1", .port = static_cast<std::uint16_t>(std::stoi(ports_[0]))};
    }
    [[nodiscard]] std::string log() const { return end_of(home_.path() / "log"); }

private:
    [[nodiscard]] std::string at(std::size_t port) const { return "http://127.0.0.1:" + ports_[port]; }

    temporary_directory home_;
    std::vector<std::string> ports_ = free_ports(2);
    server_process process_{
        {program(), "--data-dir", (home_.path() / "data").string(), "--listen-client-urls", at(0),
         "--advertise-client-urls", at(0), "--listen-peer-urls", at(1), "--initial-advertise-peer-urls", at(1),
         "--initial-cluster", "default=" + at(1), "--unsafe-no-fsync"},  // its kernel outlives it
        home_.path() / "log"};
};

}  // namespace weir::testing
