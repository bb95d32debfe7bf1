// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Against the contract, not a live server. Clients find out for themselves which interface there is.
#include "registry/nacos_contract.hpp"
#include "subject.hpp"

#include <weir/registry/nacos.hpp>

#include <chrono>
#include <string>

using namespace std::chrono_literals;

namespace weir::testing {
namespace {

class nacos_subject final : public subject {
public:
    nacos_subject(asio::io_context& io, int instances)
        : server_(io, [this](std::string const& request) { return contract_(request); }),
          there_(reach(io.get_executor(), server_.endpoint().port(), false))
    {
        contract_.user = "me";
        contract_.password = canary;
        for (int i = 1; i <= instances; ++i) there_.add(i);
    }

    std::string name() const override { return "Nacos"; }
    boost::asio::ip::tcp::endpoint server() const override { return server_.endpoint(); }
    registry reach(asio::any_io_executor executor, std::uint16_t port, bool naive) override
    {
        return weir::registry::nacos(executor, {.url = "nacos://127.0.0.1:" + std::to_string(port),
                                                .user = "me",
                                                .password = weir::registry::secret(canary),
                                                .poll = 250ms,
                                                .timeout = 1500ms,
                                                .watch = test_watch(naive),
                                                .lease = test_lease()});
    }
    void forget(std::string const&) override { contract_.instances.clear(); }
    bool ready() override { return there_.complete(); }
    void grow() override { there_.add(5); }
    std::vector<fault> faults() const override
    {
        auto all = http_faults();
        auto const says = [&](std::string what, int status, std::string const& body) {
            all.push_back({std::move(what), fault::kind::answer, 0, http_answer(status, body)});
        };
        says("server error in 200", 200, R"({"code":30000,"message":"server error","data":null})");
        says("denied in 200", 200, R"({"code":403,"message":"access denied","data":[]})");
        says("another service", 200, R"({"name":"DEFAULT_GROUP@@other","hosts":[],"code":0,"data":null})");
        says("all malformed", 200, R"({"code":0,"data":[{"ip":""},7],"hosts":[{"ip":""},7]})");
        return all;
    }
    // In the words of both interfaces, and of signing in.
    std::vector<fault> losses() const override
    {
        auto const list = [](std::string const& instances) {
            return http_answer(200, R"({"accessToken":"t1","tokenTtl":1,"name":"DEFAULT_GROUP@@web","hosts":[)" +
                                        instances + R"(],"code":0,"message":"success","data":[)" + instances + "]}");
        };
        auto const one = [](std::string const& more) {
            return R"({"ip":"10.0.0.1","port":8080,"clusterName":"DEFAULT",)" + more + "}";
        };
        return {{"empty list", fault::kind::answer, 0, list("")},
                {"three of four lost", fault::kind::answer, 0, list(one(R"("healthy":true)"))},
                {"three of four down", fault::kind::answer, 0, list(one(R"("healthy":false)"))}};
    }

private:
    nacos_contract contract_;
    contract_server server_;
    enrolment there_;
};

}  // namespace

void add_nacos(asio::io_context& io, subjects& all, std::vector<std::string>&)
{
    all.push_back(std::make_shared<nacos_subject>(io, 4));
    all.push_back(std::make_shared<lease_lost>(io, std::make_shared<nacos_subject>(io, 0), "web"));
}

}  // namespace weir::testing
