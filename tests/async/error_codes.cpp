// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// weir's codes are std's; Asio's handlers get Boost's. Whoever compares either with the other gets the same answer.
#include <weir/core/errc.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <doctest/doctest.h>

#include <system_error>

namespace asio = boost::asio;
using weir::condition;
using weir::errc;

TEST_CASE("errc: a boost::system::error_code made from it compares with it and with its conditions")
{
    boost::system::error_code const code = errc::circuit_open;
    CHECK(code.failed());
    CHECK((code == errc::circuit_open));
    CHECK((errc::circuit_open == code));
    CHECK((code != errc::rate_limited));
    CHECK((code == condition::rejected));
    CHECK((condition::rejected == code));
    CHECK((code == condition::transient));
    CHECK((boost::system::error_code(errc::exceeds_burst) != condition::transient));
    CHECK((boost::system::error_code(errc::attempt_timed_out) != condition::rejected));
    CHECK((boost::system::error_code() != condition::rejected));
}

TEST_CASE("errc: survives the way to Boost and back")
{
    for (auto const e : {errc::rate_limited, errc::deadline_exceeded, errc::stopped}) {
        boost::system::error_code const there = e;
        std::error_code const back = there;
        CHECK((back == e));
        CHECK(back.message() == make_error_code(e).message());
        CHECK(there.message() == make_error_code(e).message());
        boost::system::system_error const thrown(there);
        CHECK((thrown.code() == e));
    }
}

TEST_CASE("condition: transient knows the codes of the system as Asio reports them")
{
    for (auto const e :
         {asio::error::connection_refused, asio::error::connection_reset, asio::error::connection_aborted,
          asio::error::broken_pipe, asio::error::timed_out, asio::error::host_unreachable,
          asio::error::network_unreachable, asio::error::not_connected, asio::error::try_again}) {
        boost::system::error_code const code = e;
        CAPTURE(code.message());
        CHECK((code == condition::transient));
        CHECK((code != condition::rejected));
    }
    for (auto const e : {asio::error::operation_aborted, asio::error::access_denied, asio::error::bad_descriptor}) {
        boost::system::error_code const code = e;
        CAPTURE(code.message());
        CHECK((code != condition::transient));
        CHECK((code != condition::rejected));
    }
}
