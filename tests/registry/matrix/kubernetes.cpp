// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Against the contract, not a live server: a list, and a stream of events that follows it.
#include "contract_server.hpp"
#include "subject.hpp"

#include <weir/registry/kubernetes.hpp>

#include <chrono>
#include <string>

using namespace std::chrono_literals;

namespace weir::testing {
namespace {

class kubernetes_subject final : public subject {
public:
    explicit kubernetes_subject(asio::io_context& io)
        : server_(io, [this](std::string const& request) {
              if (request.find("watch=true") == std::string::npos) return http_answer(200, list(pods_));
              return std::string(
                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
          })
    {
    }

    std::string name() const override { return "Kubernetes"; }
    boost::asio::ip::tcp::endpoint server() const override { return server_.endpoint(); }
    registry reach(asio::any_io_executor executor, std::uint16_t port, bool naive) override
    {
        return weir::registry::basic_kubernetes<weir::http::plain_transport>(
            executor, {.url = "http://127.0.0.1:" + std::to_string(port),
                       .token = weir::registry::secret(canary),
                       .account = "/nowhere",
                       .wait = 1s,
                       .timeout = 1500ms,
                       .watch = test_watch(naive)});
    }
    void grow() override
    {
        pods_ = 5;
        server_.push(R"({"type":"MODIFIED","object":)" + slice(pods_) + "}\n");
    }
    std::vector<fault> faults() const override
    {
        auto all = http_faults();
        auto const says = [&](std::string what, int status, std::string const& body) {
            all.push_back({std::move(what), fault::kind::answer, 0, http_answer(status, body)});
        };
        std::string const expired =
            R"({"kind":"Status","status":"Failure","message":"too old","reason":"Expired","code":410})";
        says("410, history expired", 410, expired);
        says("410 in 200", 200, R"({"type":"ERROR","object":)" + expired + "}\n");
        says("504, version of the future", 504,
             R"({"kind":"Status","code":504,"message":"Too large resource version"})");
        says("another kind", 200, R"({"kind":"PodList","metadata":{"resourceVersion":"9"},"items":[{}]})");
        says("cut in pages", 200,
             R"({"kind":"EndpointSliceList","metadata":{"resourceVersion":"9","continue":"x"},"items":[7]})");
        return all;
    }
    std::vector<fault> losses() const override
    {
        return {{"empty list", fault::kind::answer, 0, http_answer(200, list(0))},
                {"three of four lost", fault::kind::answer, 0, http_answer(200, list(1))}};
    }

private:
    static std::string slice(int pods)
    {
        std::string all;
        for (int i = 1; i <= pods; ++i) {
            auto const n = std::to_string(i);
            all += (all.empty() ? "" : ",") + (R"({"addresses":["10.0.0.)" + n) +
                   R"("],"conditions":{"ready":true},"targetRef":{"kind":"Pod","name":"web-)" + n + "\"}}";
        }
        return R"({"kind":"EndpointSlice","metadata":{"name":"web-x","resourceVersion":")" + std::to_string(10 + pods) +
               R"("},"addressType":"IPv4","endpoints":[)" + all + R"(],"ports":[{"name":"http","port":8080}]})";
    }
    static std::string list(int pods)
    {
        return R"({"kind":"EndpointSliceList","metadata":{"resourceVersion":")" + std::to_string(10 + pods) +
               R"("},"items":[)" + slice(pods) + "]}";
    }

    int pods_ = 4;
    contract_server server_;
};

}  // namespace

void add_kubernetes(asio::io_context& io, subjects& all, std::vector<std::string>&)
{
    all.push_back(std::make_shared<kubernetes_subject>(io));
}

}  // namespace weir::testing
