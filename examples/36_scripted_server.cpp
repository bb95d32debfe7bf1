// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// How to test what your own code makes of a server that misbehaves: put a scripted_server in its place, which sends
// exactly the bytes that it is told, on loopback, and notes what it was sent. A real server would have to be talked
// into each of these.
//
// Expected output:
//   answers            12 apples
//   cut in the middle  unknown: connection closed before the answer was complete
//   not HTTP           unknown: response is not valid HTTP
//   resets             unknown: Connection reset by peer
//   trickles           12 apples
//   says nothing       unknown: attempt timed out
//   ok: everything was asked for as it should be

#include <weir/async/async_call.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/http/client.hpp>
#include <weir/testing/scripted_server.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <string>
#include <utility>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;
using weir::testing::script;

namespace {

// --- Your code ------------------------------------------------------------------------------------------------------

/// What is in stock, in words.
void ask_stock(http::client& client, weir::endpoint const& inventory, std::string& answer)
{
    static auto guarded = weir::pipeline(weir::attempt_timeout(200ms));
    guarded.async_call(
        [&](weir::attempt const& a) {
            return client.async_send(inventory, http::get("/stock/apples"), a.deadline(), asio::deferred);
        },
        asio::bind_executor(client.get_executor(), [&answer](boost::system::error_code ec, http::response const& r) {
            answer = ec ? "unknown: " + ec.message() : r.body() + " apples";
        }));
}

// --- Your test ------------------------------------------------------------------------------------------------------

script asked() { return std::move(script().expect("GET /stock/apples ")); }

}  // namespace

int main()
{
    asio::io_context io;
    weir::testing::scripted_server server(io.get_executor());
    auto const inventory = server.endpoint();

    std::string const whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n12";
    std::pair<char const*, script> const cases[] = {
        {"answers", asked().answer(200, "12").close()},
        {"cut in the middle", asked().send_cut(whole, whole.size() - 1).close()},
        {"not HTTP", asked().send("<html>Welcome to the hotel").close()},
        {"resets", asked().reset()},
        {"trickles", asked().send_in_pieces(whole, 1, 1ms).close()},
        {"says nothing", asked().hang()},
    };
    for (auto const& [what, how] : cases) {
        server.next(how);
        http::client client(io.get_executor());  // one each: nothing is left over from the case before
        std::string answer;
        ask_stock(client, inventory, answer);
        while (answer.empty()) io.run_one();
        std::printf("%-17s  %s\n", what, answer.c_str());
    }
    std::printf("%s: everything was asked for as it should be\n", server.failures().empty() ? "ok" : "WRONG");
}
