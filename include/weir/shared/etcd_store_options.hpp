// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/registry/etcd_options.hpp>

#include <chrono>
#include <cstddef>
#include <string>

namespace weir {

struct etcd_store_options {
    /// The cluster: address, account, connection. Its prefix and timeout, and what it says of watches and leases, are
    /// not looked at.
    registry::etcd_options cluster = {};

    std::string prefix = "/weir/limits/";        ///< of every key
    duration timeout = std::chrono::seconds(1);  ///< of each request, and after that no other is begun
    unsigned tries = 10;                         ///< requests for one question, where others change the key meanwhile
    std::size_t max_pending = 1024;              ///< questions without an answer; more are refused
    std::size_t max_keys = 100'000;              ///< whose state is remembered, which saves a request for each question

    /// Throws: std::invalid_argument, naming the first field that is out of range.
    void check() const
    {
        using detail::bad_option;
        (void)cluster.checked();
        if (timeout <= duration::zero()) bad_option("etcd_store_options.timeout", "above 0 ms", timeout);
        if (tries < 2) bad_option("etcd_store_options.tries", "at least 2", tries);
        if (max_pending == 0) bad_option("etcd_store_options.max_pending", "at least 1", max_pending);
        if (max_keys == 0) bad_option("etcd_store_options.max_keys", "at least 1", max_keys);
    }
};

}  // namespace weir
