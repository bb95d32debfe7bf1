// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/tls.hpp>
#include <weir/registry/consul.hpp>
#include <weir/registry/dns.hpp>
#include <weir/registry/etcd.hpp>
#include <weir/registry/eureka.hpp>
#include <weir/registry/file.hpp>
#include <weir/registry/kubernetes.hpp>
#include <weir/registry/nacos.hpp>
#include <weir/registry/open_with.hpp>
#include <weir/registry/static_list.hpp>
#include <weir/registry/zookeeper.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <string_view>
#include <utility>

namespace weir::registry {

/// The registry that a URL names, of all kinds there are:
///
///   auto registry = weir::registry::open(io.get_executor(), "consul://10.0.0.1,10.0.0.2?token_file=/run/token");
///
///   consul://host[:port][,host...][/base]    see consul_options.hpp; with tls=true over TLS
///   etcd://[user:password@]host[:port][,host...][/prefix]   see etcd_options.hpp; with tls=true over TLS
///   k8s://[host[:port]][/namespace]          see kubernetes_options.hpp
///   nacos://[user:password@]host[:port][,host...]           see nacos_options.hpp; with tls=true over TLS
///   eureka://[user:password@]host[:port][,host...][/prefix] see eureka_options.hpp; with tls=true over TLS
///   dns://[host[:port]][/name]               see dns_options.hpp
///   zk://[user:password@]host[:port][,host...][/root]       see zookeeper_options.hpp; with tls=true over TLS
///   file:///path/services.json               see file.hpp
///   static://host:port[,host:port...]        see static_list.hpp
///
/// Over TLS all of them verify the server by the system's authorities; or by those of `&ca_file=ca.pem`, and for
/// `&server_name=consul.internal` instead of the host; `&cert_file=me.pem&key_file=me.key` is shown to a server that
/// asks.
///
/// Includes, and compiles, all of them: see open_with.hpp for a way to choose.
/// Throws:  std::invalid_argument, with a sentence that says what would be right and quotes no secret.
/// Seen in: examples/34_registries_by_url.cpp
[[nodiscard]] inline any_registry open(asio::any_io_executor executor, std::string_view url)
{
    return open_with<                          //
        consul,                                //
        basic_consul<http::tls_transport>,     //
        etcd,                                  //
        basic_etcd<http::tls_transport>,       //
        kubernetes,                            //
        nacos,                                 //
        basic_nacos<http::tls_transport>,      //
        eureka,                                //
        basic_eureka<http::tls_transport>,     //
        dns,                                   //
        zookeeper,                             //
        basic_zookeeper<http::tls_transport>,  //
        file,                                  //
        static_list                            //
        >(std::move(executor), url);
}

}  // namespace weir::registry
