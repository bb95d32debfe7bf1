// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Consul's contract over TLS, beside servers that others have put in its place. The clients here believe every answer
// at once: what saves them is that they do not listen to a server which cannot prove who it is.
#include "subject.hpp"
#include "support/certificate.hpp"

#include <weir/async/timer.hpp>
#include <weir/http/tls.hpp>
#include <weir/registry/consul.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

using namespace std::chrono_literals;

namespace weir::testing {
namespace {

/// Gives one answer to all requests, over TLS, and to those that wait for a change after 500 ms.
class tls_front {
public:
    using function = std::function<std::string()>;

    tls_front(asio::io_context& io, certificate const& shown, function answer, int version = TLS1_3_VERSION,
              bool ends = false)
        : state_(std::make_shared<state>(io, std::move(answer), ends))
    {
        auto& context = state_->context;
        context.use_certificate_chain(asio::buffer(shown.pem()));
        context.use_private_key(asio::buffer(shown.key_pem()), asio::ssl::context::pem);
        if (version < TLS1_2_VERSION) SSL_CTX_set_security_level(context.native_handle(), 0);
        SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_VERSION);
        SSL_CTX_set_max_proto_version(context.native_handle(), version);
        asio::co_spawn(io, accept(state_), asio::detached);
    }

    [[nodiscard]] asio::ip::tcp::endpoint endpoint() const { return state_->acceptor.local_endpoint(); }

private:
    using tcp = asio::ip::tcp;
    using stream = asio::ssl::stream<tcp::socket>;
    static constexpr auto token = asio::as_tuple(asio::use_awaitable);

    struct state {
        state(asio::io_context& io, function f, bool e)
            : acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), answer(std::move(f)), ends(e)
        {
        }
        asio::ssl::context context{asio::ssl::context::tls_server};
        tcp::acceptor acceptor;
        function answer;
        bool ends;  // without TLS's goodbye
    };

    static asio::awaitable<void> accept(std::shared_ptr<state> s)
    {
        for (;;) {
            auto [ec, socket] = co_await s->acceptor.async_accept(token);
            if (ec) co_return;
            asio::co_spawn(s->acceptor.get_executor(),
                           serve(s, std::make_shared<stream>(std::move(socket), s->context)), asio::detached);
        }
    }

    static asio::awaitable<void> serve(std::shared_ptr<state> s, std::shared_ptr<stream> to)
    {
        auto const [refused] = co_await to->async_handshake(asio::ssl::stream_base::server, token);
        if (refused) co_return;
        for (std::string in;;) {
            auto const [ec, n] = co_await asio::async_read_until(*to, asio::dynamic_buffer(in), "\r\n\r\n", token);
            if (ec) co_return;
            bool const waits = in.substr(0, n).find("index=") != std::string::npos;
            in.erase(0, n);
            if (waits) {
                weir::timer t(to->get_executor());
                co_await t.async_wait_for(500ms, token);
            }
            std::string const out = s->answer();
            auto const [lost, m] = co_await asio::async_write(*to, asio::buffer(out), token);
            if (lost || s->ends) co_return to->lowest_layer().close();
        }
    }

    std::shared_ptr<state> state_;
};

class tls_subject final : public subject {
public:
    explicit tls_subject(asio::io_context& io)
        : server_(io, certificate({"IP:127.0.0.1"}, &authority_), [this] { return has(count_); })
    {
        auto const put = [&](std::string what, certificate const& shown) {
            others_.emplace(std::move(what), tls_front(io, shown, [] { return has(1); }));
        };
        certificate const other({}, nullptr);
        put("certificate expired", {{"IP:127.0.0.1", -7200, -3600}, &authority_});
        put("certificate not yet valid", {{"IP:127.0.0.1", 3600, 7200}, &authority_});
        put("certificate of another address", {{"IP:127.0.0.2"}, &authority_});
        put("certificate of a name", {{"DNS:localhost"}, &authority_});
        put("unknown authority", {{"IP:127.0.0.1"}, &other});
        put("self-signed certificate", {{"IP:127.0.0.1"}, nullptr});
        put("certificate of no server", {{"IP:127.0.0.1", -3600, 3600, false}, &authority_});
        certificate const good({"IP:127.0.0.1"}, &authority_);
        odd_.emplace("TLS 1.1", tls_front(
                                    io, good, [] { return has(1); }, TLS1_1_VERSION));
        odd_.emplace("ended without goodbye", tls_front(
                                                  io, good, [] { return cut(); }, TLS1_3_VERSION, true));
    }

    std::string name() const override { return "TLS"; }
    boost::asio::ip::tcp::endpoint server() const override { return server_.endpoint(); }
    registry reach(asio::any_io_executor executor, std::uint16_t port, bool naive) override
    {
        auto const trusting = naive ? http::tls_options{.accept_any_certificate_and_be_open_to_attack = true}
                                    : http::tls_options{.authorities_pem = authority_.pem()};
        return weir::registry::basic_consul<http::tls_transport>(executor,
                                                                 {.url = "https://127.0.0.1:" + std::to_string(port),
                                                                  .token = weir::registry::secret(canary),
                                                                  .wait = 1s,
                                                                  .watch = test_watch(true)},
                                                                 http::tls_transport(trusting));
    }
    void grow() override { count_ = 5; }
    std::vector<fault> faults() const override
    {
        auto all = connection_faults();
        all.push_back({"not encrypted", fault::kind::answer, 0, has(1)});
        all.push_back({"alert", fault::kind::answer, 0, std::string("\x15\x03\x03\0\2\2\x28", 7)});
        for (auto const& [what, front] : odd_) all.push_back({what, fault::kind::elsewhere, front.endpoint().port()});
        return all;
    }
    std::vector<fault> losses() const override
    {
        std::vector<fault> all;
        for (auto const& [what, front] : others_)
            all.push_back({what, fault::kind::elsewhere, front.endpoint().port()});
        return all;
    }

private:
    static std::string entries(int count)
    {
        std::string all;
        for (int i = 1; i <= count; ++i) {
            auto const n = std::to_string(i);
            all += (i > 1 ? "," : "") + (R"({"Node":{"Node":"n","Address":"127.0.0.1"},"Service":{"ID":"web-)" + n) +
                   R"(","Service":"web","Tags":null,"Address":"10.0.0.)" + n +
                   R"(","Port":8080,"Weights":{"Passing":1,"Warning":1}},"Checks":[]})";
        }
        return "[" + all + "]";
    }
    static std::string has(int count)
    {
        return http_answer(200, entries(count), "X-Consul-Index: " + std::to_string(10 + count) + "\r\n");
    }
    // What there is of it would be well made, and its end is only the connection's.
    static std::string cut()
    {
        return "HTTP/1.1 200 OK\r\nX-Consul-Index: 9\r\nContent-Type: application/json\r\n\r\n" + entries(1);
    }

    certificate const authority_{{}, nullptr};
    int count_ = 4;
    tls_front server_;
    std::map<std::string, tls_front> others_, odd_;
};

}  // namespace

void add_tls(asio::io_context& io, subjects& all, std::vector<std::string>&)
{
    all.push_back(std::make_shared<tls_subject>(io));
}

}  // namespace weir::testing
