// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "subject.hpp"

#include <support/etcd_process.hpp>

#include <weir/registry/detail/base64.hpp>
#include <weir/registry/etcd.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

namespace weir::testing {
namespace {

class etcd_subject : public subject {
public:
    explicit etcd_subject(asio::io_context& io) : io_(io)
    {
        process_.start();
        enrol(4);
    }

    std::string name() const override { return "etcd"; }
    boost::asio::ip::tcp::endpoint server() const override
    {
        return {asio::ip::address_v4::loopback(), process_.endpoint().port};
    }
    registry reach(asio::any_io_executor executor, std::uint16_t port, bool naive) override
    {
        return weir::registry::etcd(executor, {.url = "etcd://127.0.0.1:" + std::to_string(port),
                                               .wait = 1s,
                                               .timeout = 1500ms,
                                               .watch = test_watch(naive),
                                               .lease = test_lease()});
    }
    bool ready() override { return there_->complete(); }
    void grow() override { there_->add(5); }
    std::vector<fault> faults() const override
    {
        auto all = http_faults();
        auto const says = [&](std::string what, std::string const& body) {
            all.push_back({std::move(what), fault::kind::answer, 0, http_answer(200, body)});
        };
        says("stopping, in 200", R"({"error":{"grpc_code":14,"http_code":503,"message":"stopping"}})");
        says("compacted", R"({"result":{"header":{"revision":"9"},"canceled":true,"compact_revision":"8"}})");
        says("watch not allowed",
             R"({"result":{"created":true,"canceled":true,"cancel_reason":"rpc error: PermissionDenied"}})");
        says("bad base64",
             R"({"header":{"cluster_id":"7","revision":"9"},"kvs":[{"key":"%%%","value":"%"}],"count":"1"})");
        says("more than it sends", R"({"header":{"cluster_id":"7","revision":"9"},"kvs":[],"count":"4","more":true})");
        // The same four, in another history, which begins lower.
        all.push_back({.name = "cluster id changed", .what = fault::kind::answer, .reply = [](std::string_view asked) {
                           std::string const header = R"({"header":{"cluster_id":"7","revision":"1"})";
                           if (asked.find("/v3/watch") != asked.npos)
                               return http_answer(200, R"({"result":)" + header + R"(,"created":true}})" + "\n");
                           std::string kvs;
                           for (int i = 1; i <= 4; ++i) kvs += (i > 1 ? "," : "") + pair(i);
                           return http_answer(200, header + R"(,"kvs":[)" + kvs + R"(],"count":"4"})");
                       }});
        return all;
    }
    std::vector<fault> losses() const override
    {
        std::string const header = R"({"header":{"cluster_id":"7","member_id":"8","revision":"999","raft_term":"2"})";
        auto const one = R"(,"kvs":[)" + pair(1) + R"(],"count":"1"})";
        return {{"empty list", fault::kind::answer, 0, http_answer(200, header + "}")},
                {"three of four lost", fault::kind::answer, 0, http_answer(200, header + one)}};
    }

protected:
    void enrol(int count)
    {
        there_ = std::make_unique<enrolment>(
            weir::registry::etcd(io_.get_executor(), {.url = process_.url(), .lease = test_lease()}));
        for (int i = 1; i <= count; ++i) there_->add(i);
    }
    void lose_all()
    {
        process_.stop(SIGKILL);
        there_.reset();
        process_.forget();
        process_.start();
    }

private:
    static std::string pair(int i)
    {
        using weir::registry::detail::to_base64;
        auto const n = std::to_string(i);
        return R"({"key":")" + to_base64("/weir/services/web/web-" + n) +
               R"(","create_revision":"2","mod_revision":"2","version":"1","value":")" +
               to_base64(R"({"address":"10.0.0.)" + n + R"(","port":8080})") + R"("})";
    }

    asio::io_context& io_;
    etcd_process process_;
    std::unique_ptr<enrolment> there_;
};

}  // namespace

void add_etcd(asio::io_context& io, subjects& all, std::vector<std::string>& missing)
{
    if (etcd_process::program().empty()) return missing.push_back("etcd (Debian: etcd-server)");
    add_real<etcd_subject>(io, all);
}

}  // namespace weir::testing
