// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The order service as people write it on the first day. Nothing in it is silly, and nothing is here to make it fail:
// it has a time limit (Beast's own examples wait 30 seconds), it tries again, it spreads its calls, and it asks the
// registry every time so as never to use an old address.
#include "order.hpp"

#include <boost/json.hpp>

#include <stdexcept>
#include <utility>

namespace shop {

namespace {

using namespace std::chrono_literals;

class bare final : public order_service {
public:
    bare(options const& o, ledger& l) : options_(o), ledger_(l) {}

    asio::awaitable<void> open() override { co_return; }

    asio::awaitable<response> place(request const& asked, std::size_t number) override
    {
        for (int tries_left = 3;;) {
            try {
                auto const instances = co_await look_up();
                auto const& [host, port] = instances.at(next_++ % instances.size());
                ledger_.tried(asked);
                auto const answer =
                    co_await ask(http::verb::get, host, port, "/reserve/" + std::to_string(number), 1s);
                if (answer.result() == http::status::ok) co_return reply(http::status::ok, answer.body());
                throw std::runtime_error("the inventory answered " + std::to_string(answer.result_int()));
            }
            catch (std::exception const&) {
                if (--tries_left == 0) break;
            }
        }
        co_return reply(http::status::bad_gateway, R"({"error":"the inventory does not answer"})");
    }

    [[nodiscard]] gauge look() override { return {}; }

private:
    using address = std::pair<std::string, std::uint16_t>;

    asio::awaitable<std::vector<address>> look_up()
    {
        auto const answer = co_await ask(http::verb::get, options_.registry_host, options_.registry_port,
                                         "/v1/health/service/" + options_.service + "?passing=1", 1s);
        std::vector<address> found;
        auto const listed = boost::json::parse(answer.body());
        for (auto const& entry : listed.as_array()) {
            auto const& service = entry.at("Service");
            found.emplace_back(service.at("Address").as_string(), service.at("Port").to_number<std::uint16_t>());
        }
        if (found.empty()) throw std::runtime_error("the registry knows no instance");
        co_return found;
    }

    options const& options_;
    ledger& ledger_;
    std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<order_service> make_bare(asio::any_io_executor, options const& o, ledger& l)
{
    return std::make_unique<bare>(o, l);
}

}  // namespace shop
