// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/check_transport.hpp>
#include <weir/registry/detail/registry_url.hpp>

#include <concepts>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace weir::registry::detail {

/// A TLS transport that trusts and shows what `files` say, which came from the parameters of `u`. (By its options, so
/// that this includes no OpenSSL.)
template <class Transport>
[[nodiscard]] Transport transport_with(registry_url_tls const& files, registry_url const& u)
{
    struct place {
        std::string_view parameter, option;
        std::string const& file;
    };
    place const places[] = {{"ca_file", "authorities_file", files.ca_file},
                            {"cert_file", "certificate_file", files.cert_file},
                            {"key_file", "key_file", files.key_file}};
    auto const bad = [&](place const& at, std::string const& why) {
        u.refuse("the file " + at.file + " of the parameter " + std::string(at.parameter) + " cannot be " + why);
    };
    for (auto const& at : places)
        if (!at.file.empty() && !std::ifstream(at.file).ignore()) bad(at, "read");
    try {
        return Transport({.authorities_file = files.ca_file,
                          .certificate_file = files.cert_file,
                          .key_file = files.key_file,
                          .expected_name = files.server_name});
    } catch (std::invalid_argument const& e) {
        std::string_view const said = e.what();
        for (auto const& at : places)
            if (said.find("." + std::string(at.option)) != said.npos)
                bad(at, "used" + std::string(said.substr(said.find(": ", said.find("cannot")))));
        throw;
    }
}

/// How to reach what `u` names: `own`, or a transport as the URL's parameters say. Throws: std::invalid_argument when
/// the URL asks for TLS and `Transport` does not speak it, or the other way round (`field` says where the URL was,
/// `how` is as in check_transport); and when both the URL and the program say whom to trust.
template <class Transport>
[[nodiscard]] Transport transport_for(registry_url const& u, std::optional<Transport> own, std::string const& field,
                                      std::string const& how = "https:// or tls=true")
{
    check_transport<Transport>(u.tls, field, how);
    auto const files = u.tls_files();
    if (files.any()) {
        if (own) u.refuse("it must have no ca_file, cert_file, key_file and server_name, for a transport is given");
        if constexpr (requires { typename Transport::options; })
            return transport_with<Transport>(files, u);
        else
            u.refuse("this transport takes no ca_file, cert_file, key_file and server_name");
    }
    if (own) return std::move(*own);
    if constexpr (std::default_initializable<Transport>)
        return Transport();
    else
        throw std::invalid_argument("weir: " + field + " needs a transport");
}

}  // namespace weir::registry::detail
