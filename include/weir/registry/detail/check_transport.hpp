// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <stdexcept>
#include <string>

namespace weir::registry::detail {

/// Throws std::invalid_argument, naming the `field`, when what the URL says is not what the transport does. `how`: the
/// ways in which such a URL asks for TLS.
template <class Transport>
void check_transport(bool tls, std::string const& field, std::string const& how = "https:// or tls=true")
{
    if (tls != Transport::handshakes)
        throw std::invalid_argument("weir: " + field +
                                    (tls ? " asks for TLS (" + how + ") and needs a TLS transport"
                                         : " must ask for TLS (" + how + ") for a TLS transport"));
}

}  // namespace weir::registry::detail
