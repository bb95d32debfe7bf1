// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A user of weir::weir, who links Boost.JSON and OpenSSL through it.

#include <weir/registry/instance.hpp>

#include <boost/json.hpp>
#include <openssl/ssl.h>

int main()
{
    auto const parsed = boost::json::parse(R"({"port": 80})");
    return parsed.at("port").as_int64() == 80 && OPENSSL_init_ssl(0, nullptr) == 1 ? 0 : 1;
}
