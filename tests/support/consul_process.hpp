// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/endpoint.hpp>

#include <support/server_process.hpp>
#include <support/temporary_directory.hpp>

#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

namespace weir::testing {

/// A real Consul, on loopback ports and in a directory of its own.
class consul_process {
public:
    enum class kind { forgetful, persistent, guarded };  ///< by tokens, of which `master` may do all

    static constexpr auto master = "aaaaaaaa-0000-0000-0000-000000000001";

    /// Empty: there is none.
    static std::string program() { return find_program("WEIR_CONSUL", ""); }

    explicit consul_process(kind k = kind::forgetful) : process_(words(k), home_.path() / "log") {}

    void start() { process_.start(); }
    void stop(int signal) { process_.stop(signal); }

    [[nodiscard]] std::string url() const { return "consul://127.0.0.1:" + ports_[0]; }
    [[nodiscard]] weir::endpoint endpoint() const
    {
        return {.id = "consul", .host = "127.0.0.1", .port = static_cast<std::uint16_t>(std::stoi(ports_[0]))};
    }
    [[nodiscard]] std::string log() const { return end_of(home_.path() / "log"); }

private:
    [[nodiscard]] std::vector<std::string> words(kind k) const
    {
        std::vector<std::string> all{program(), "agent"};
        auto const add = [&all](std::initializer_list<std::string> more) { all.insert(all.end(), more); };
        add({"-bind", "127.0.0.1", "-client", "127.0.0.1", "-http-port", ports_[0], "-serf-lan-port", ports_[1]});
        add({"-server-port", ports_[2], "-serf-wan-port", "-1", "-dns-port", "-1", "-grpc-port", "-1"});
        if (k == kind::forgetful)
            add({"-dev"});
        else
            add({"-server", "-bootstrap-expect=1", "-data-dir", (home_.path() / "data").string()});
        if (k == kind::guarded) {
            auto const acl = home_.path() / "acl.json";
            std::ofstream(acl) << R"({"acl":{"enabled":true,"default_policy":"deny","tokens":{"master":")" << master
                               << "\"}}}";
            add({"-config-file", acl.string()});
        }
        return all;
    }

    temporary_directory home_;
    std::vector<std::string> ports_ = free_ports(3);
    server_process process_;
};

}  // namespace weir::testing
