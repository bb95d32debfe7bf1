// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Against the contract, not a live server.
#include "registry/eureka_contract.hpp"
#include "subject.hpp"

#include <weir/registry/eureka.hpp>

#include <chrono>
#include <string>

using namespace std::chrono_literals;

namespace weir::testing {
namespace {

class eureka_subject final : public subject {
public:
    eureka_subject(asio::io_context& io, int instances)
        : server_(io, [this](std::string const& request) { return contract_(request); }),
          there_(weir::registry::eureka(io.get_executor(),
                                        {.url = "eureka://127.0.0.1:" + std::to_string(server_.endpoint().port())}))
    {
        for (int i = 1; i <= instances; ++i) there_.add(i);
    }

    std::string name() const override { return "Eureka"; }
    boost::asio::ip::tcp::endpoint server() const override { return server_.endpoint(); }
    registry reach(asio::any_io_executor executor, std::uint16_t port, bool naive) override
    {
        return weir::registry::eureka(executor, {.url = "eureka://127.0.0.1:" + std::to_string(port),
                                                 .user = "me",
                                                 .password = weir::registry::secret(canary),
                                                 .poll = 250ms,
                                                 .timeout = 1500ms,
                                                 .watch = test_watch(naive),
                                                 .lease = test_lease()});
    }
    void forget(std::string const& service) override
    {
        for (int i = 1; i <= 4; ++i) contract_.forget(service + "-" + std::to_string(i));
    }
    bool ready() override { return there_.complete(); }
    void grow() override { there_.add(5); }
    std::vector<fault> faults() const override
    {
        auto all = http_faults();
        auto const says = [&](std::string what, int status, std::string const& body) {
            all.push_back({std::move(what), fault::kind::answer, 0, http_answer(status, body)});
        };
        says("XML", 200, "<application><name>WEB</name></application>");
        says("another application", 200, R"({"application":{"name":"OTHER","instance":[]}})");
        says("all malformed", 200, R"({"application":{"name":"WEB","instance":[{"app":"WEB"},7]}})");
        return all;
    }
    std::vector<fault> losses() const override
    {
        return {{"empty list", fault::kind::answer, 0, http_answer(200, application(""))},
                {"no such service", fault::kind::answer, 0, http_answer(404, "")},
                {"three of four lost", fault::kind::answer, 0, http_answer(200, application(entry("UP")))},
                {"three of four down", fault::kind::answer, 0, http_answer(200, application(entry("DOWN")))}};
    }

private:
    static std::string entry(std::string const& status)
    {
        return R"({"instanceId":"web-1","app":"WEB","ipAddr":"10.0.0.1","status":")" + status +
               R"(","port":{"$":8080,"@enabled":"true"}})";
    }
    static std::string application(std::string const& instances)
    {
        return R"({"application":{"name":"WEB","instance":[)" + instances + "]}}";
    }

    eureka_contract contract_;
    contract_server server_;
    enrolment there_;
};

}  // namespace

void add_eureka(asio::io_context& io, subjects& all, std::vector<std::string>&)
{
    all.push_back(std::make_shared<eureka_subject>(io, 4));
    all.push_back(std::make_shared<lease_lost>(io, std::make_shared<eureka_subject>(io, 0), "web"));
}

}  // namespace weir::testing
