// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A user of weir::asio, who has Boost's headers and links nothing.

#include <weir/asio.hpp>

#include <boost/asio/io_context.hpp>

int main()
{
    boost::asio::io_context context;
    return weir::now(context.get_executor()) < weir::never ? 0 : 1;
}
