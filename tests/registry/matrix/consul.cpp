// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "subject.hpp"

#include <support/consul_process.hpp>

#include <weir/registry/consul.hpp>

#include <chrono>
#include <memory>
#include <string>

using namespace std::chrono_literals;

namespace weir::testing {
namespace {

class consul_subject : public subject {
public:
    explicit consul_subject(asio::io_context& io) : io_(io)
    {
        process_.start();
        enrol(4);
    }

    std::string name() const override { return "Consul"; }
    boost::asio::ip::tcp::endpoint server() const override
    {
        return {asio::ip::address_v4::loopback(), process_.endpoint().port};
    }
    registry reach(asio::any_io_executor executor, std::uint16_t port, bool naive) override
    {
        return weir::registry::consul(executor, {.url = "consul://127.0.0.1:" + std::to_string(port),
                                                 .token = weir::registry::secret(canary),
                                                 .wait = 1s,
                                                 .watch = test_watch(naive),
                                                 .lease = test_lease()});
    }
    void forget(std::string const& service) override
    {
        auto const agent = weir::registry::consul(io_.get_executor(), {.url = process_.url()});
        for (int i = 1; i <= 4; ++i)
            agent.async_deregister(service + "-" + std::to_string(i), [](boost::system::error_code) {});
    }
    bool ready() override { return there_->complete(); }
    void grow() override { there_->add(5); }
    std::vector<fault> faults() const override
    {
        auto all = http_faults();
        // A history that begins anew with each answer: always another index, and always lower.
        all.push_back({"index 0", fault::kind::answer, 0, http_answer(200, four, "X-Consul-Index: 0\r\n")});
        all.push_back({"index backwards", fault::kind::answer, 0, http_answer(200, four, "X-Consul-Index: 1\r\n")});
        all.push_back({"index garbage", fault::kind::answer, 0, http_answer(200, four, "X-Consul-Index: -7x\r\n")});
        return all;
    }
    std::vector<fault> losses() const override
    {
        return {{"empty list", fault::kind::answer, 0, http_answer(200, "[]", "X-Consul-Index: 99\r\n")},
                {"three of four lost", fault::kind::answer, 0,
                 http_answer(200, "[" + entry(1) + "]", "X-Consul-Index: 99\r\n")}};
    }

protected:
    void enrol(int count)
    {
        there_ = std::make_unique<enrolment>(
            weir::registry::consul(io_.get_executor(), {.url = process_.url(), .lease = test_lease()}));
        for (int i = 1; i <= count; ++i) there_->add(i);
    }
    /// An agent in -dev has it all in memory.
    void lose_all()
    {
        process_.stop(SIGKILL);
        there_.reset();
        process_.start();
    }

private:
    static std::string entry(int i)
    {
        auto const n = std::to_string(i);
        return R"({"Node":{"Node":"n","Address":"127.0.0.1"},"Service":{"ID":"web-)" + n +
               R"(","Service":"web","Tags":null,"Address":"10.0.0.)" + n +
               R"(","Port":8080,"Weights":{"Passing":1,"Warning":1}},"Checks":[]})";
    }
    inline static std::string const four = "[" + entry(1) + "," + entry(2) + "," + entry(3) + "," + entry(4) + "]";

    asio::io_context& io_;
    consul_process process_;
    std::unique_ptr<enrolment> there_;
};

}  // namespace

void add_consul(asio::io_context& io, subjects& all, std::vector<std::string>& missing)
{
    if (consul_process::program().empty())
        return missing.push_back("Consul (WEIR_CONSUL names its program; tests/registry/consul fetches it)");
    add_real<consul_subject>(io, all);
}

}  // namespace weir::testing
