// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The contract servers that weir's tests use, as a process, for clients that are not weir's: see run.
#include "config/nacos_contract.hpp"
#include "config/spring_contract.hpp"
#include "registry/eureka_contract.hpp"
#include "registry/nacos_contract.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

#include <chrono>
#include <cstdio>
#include <string>

using namespace weir::testing;

int main()
{
    boost::asio::io_context io;
    nacos_contract naming;
    nacos_config_contract config;
    contract_server const nacos(io, [&](std::string const& request, std::chrono::milliseconds held) {
        bool const of_config = request.substr(0, request.find("\r\n")).find("/cs/") != request.npos;
        return of_config ? config(request, held) : naming(request);
    });
    contract_server const eureka(io, eureka_contract());
    // Spring Cloud Config has no words to change a file: PUT /main/shop-prod is somebody who commits one.
    spring_contract spring;
    spring.authorization = "Basic bWU6cHc=";  // me:pw
    contract_server const springs(io, [&](std::string const& request) {
        if (!request.starts_with("PUT /")) return spring(request);
        auto const path = request.substr(5, request.find(' ', 5) - 5);
        auto const slash = path.find('/');
        spring.files[path.substr(0, slash)][path.substr(slash + 1)] =
            boost::json::parse(request.substr(request.find("\r\n\r\n") + 4)).as_object();
        return std::string("HTTP/1.1 204 X\r\n\r\n");
    });
    std::printf("%d %d %d\n", nacos.endpoint().port(), eureka.endpoint().port(), springs.endpoint().port());
    std::fflush(stdout);
    io.run();
}
