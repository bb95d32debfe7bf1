// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Sources of configuration: what is published is a limit that a document puts in force, 4 and then 5. Consul's and
// etcd's against the real servers, which they share with the registries; Spring's and Nacos' against contracts.
#include "contract_server.hpp"
#include "subject.hpp"

#include <weir/config/consul.hpp>
#include <weir/config/etcd.hpp>
#include <weir/config/nacos.hpp>
#include <weir/config/refresh.hpp>
#include <weir/config/spring.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/registry/detail/base64.hpp>

#include <boost/asio/read_until.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace weir::testing {
namespace {

using weir::registry::detail::to_base64;

weir::config::follow_options test_follow()
{
    return {.load_timeout = 1500ms,
            .await_timeout = 3s,
            .backoff = exponential(100ms, 500ms).with(jitter::decorrelated),
            .pace = 500ms};
}

/// A document kept by the rules of config::refresh. Where a document says nothing, the limit would be 1.
class refreshing final : public sight {
public:
    template <class Source>
    refreshing(asio::any_io_executor executor, Source const& from, told t)
        : told_(std::move(t)), refresh_(std::move(executor), from, bound(), {.follow = test_follow()})
    {
        listen();
    }
    std::string last_words() const override
    {
        auto const s = refresh_.status();
        auto words = s.last_error.message() + " (" + s.note + ")";
        for (auto const& record : refresh_.history())
            for (auto const& f : record.why) words += "; " + f.key + " " + f.value + " " + f.why;
        return words;
    }

private:
    weir::config::binding bound()
    {
        weir::config::binding b;
        b.bind("limit", limit_, {.limit = 1});
        return b;
    }
    void listen()
    {
        refresh_.async_next([this](boost::system::error_code ec, weir::config::version_record r) {
            if (ec) return;
            if (limit_.limit() != 1 || r.verdict == weir::config::verdict::applied) told_(r.number, limit_.limit());
            listen();
        });
    }

    weir::concurrency_limit limit_{{.limit = 1}};
    told told_;
    weir::config::refresh refresh_;
};

/// Applies whatever comes, and nothing when there is nothing.
class believing final : public sight {
public:
    template <class Source>
    believing(asio::any_io_executor executor, Source const& from, told t)
        : strand_(asio::make_strand(executor)), sink_(std::make_shared<sink>(std::move(t)))
    {
        using conversation = decltype(from.open(strand_));
        follower_ = std::make_shared<weir::config::detail::follower>(
            strand_, std::make_unique<weir::config::detail::conversation_for<conversation>>(from.open(strand_)),
            test_follow(), sink_, random_engine{7});
        follower_->start();
    }
    ~believing() override
    {
        sink_->told_ = nullptr;
        follower_->stop();
    }
    std::string last_words() const override { return {}; }

private:
    struct sink final : weir::config::detail::follower_sink {
        explicit sink(told t) : told_(std::move(t)) {}
        void take(weir::config::loaded l) override
        {
            if (!told_) return;
            std::int64_t limit = 0;
            boost::system::error_code ec;
            auto const read = boost::json::parse(l.document.bytes, ec);
            if (auto const* const v = ec ? nullptr : read.find_pointer("/limit/limit", ec); v && v->is_int64())
                limit = v->get_int64();
            told_(++version_, limit < 0 ? 0 : static_cast<std::size_t>(limit));
        }
        void fail(boost::system::error_code, std::string) override {}
        void ended() override {}
        told told_;
        std::uint64_t version_ = 0;
    };

    asio::strand<asio::any_io_executor> strand_;
    std::shared_ptr<sink> sink_;
    std::shared_ptr<weir::config::detail::follower> follower_;
};

std::string document(int limit) { return R"({"limit":{"limit":)" + std::to_string(limit) + "}}"; }

std::string http_request(std::string const& line, std::string const& body)
{
    return line + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

fault says(std::string what, std::string text) { return {std::move(what), fault::kind::answer, 0, std::move(text)}; }

/// How a source's server says something.
struct consul_kv_dialect {
    static constexpr char const* name = "Consul KV";
    static constexpr char const* server = "Consul";
    static auto source(std::string const& at)
    {
        weir::config::consul_kv_options o{.key = "config/shop"};
        o.agent.url = "consul://" + at;
        o.agent.token = weir::registry::secret(canary);
        o.agent.wait = 1s;
        return weir::config::consul(o);
    }
    static std::string put(std::string const& text) { return http_request("PUT /v1/kv/config/shop", text); }
    static std::string answer(std::string const& value, std::string const& index)
    {
        return http_answer(200, R"([{"Key":"config/shop","Flags":0,"Value":")" + value + R"("}])",
                           "X-Consul-Index: " + index + "\r\n");
    }
    static std::string says(std::string const& text) { return answer(to_base64(text), "99"); }
    static std::string nothing() { return http_answer(404, "", "X-Consul-Index: 99\r\n"); }
    static std::vector<fault> faults()
    {
        auto const same = to_base64(document(4));
        return {testing::says("index 0", answer(same, "0")), testing::says("index backwards", answer(same, "1")),
                testing::says("index garbage", answer(same, "-7x")), testing::says("bad base64", answer("%%%", "99")),
                testing::says("another key", http_answer(200, R"([{"Key":"config","Value":null}])"))};
    }
};

struct etcd_kv_dialect {
    static constexpr char const* name = "etcd KV";
    static constexpr char const* server = "etcd";
    static auto source(std::string const& at)
    {
        weir::config::etcd_kv_options o{.key = "/config/shop"};
        o.cluster.url = "etcd://" + at;
        o.cluster.wait = 1s;
        o.cluster.timeout = 1500ms;
        return weir::config::etcd(o);
    }
    static std::string put(std::string const& text)
    {
        return http_request("POST /v3/kv/put",
                            R"({"key":")" + to_base64("/config/shop") + R"(","value":")" + to_base64(text) + R"("})");
    }
    static std::string header(int revision)
    {
        return R"({"header":{"cluster_id":"7","member_id":"8","revision":")" + std::to_string(revision) +
               R"(","raft_term":"2"})";
    }
    static std::string answer(std::string const& value, int revision)
    {
        return http_answer(200, header(revision) + R"(,"kvs":[{"key":")" + to_base64("/config/shop") +
                                    R"(","create_revision":"2","mod_revision":"2","version":"1","value":")" + value +
                                    R"("}],"count":"1"})");
    }
    static std::string says(std::string const& text) { return answer(to_base64(text), 99); }
    static std::string nothing() { return http_answer(200, header(99) + "}"); }
    static std::vector<fault> faults()
    {
        auto const same = to_base64(document(4));
        return {testing::says("cluster id changed", answer(same, 1)),
                testing::says("compacted", http_answer(200, R"({"result":)" + header(9) +
                                                                R"(,"canceled":true,"compact_revision":"8"}})")),
                testing::says("stopping, in 200",
                              http_answer(200, R"({"error":{"grpc_code":14,"http_code":503,"message":"stopping"}})")),
                testing::says("bad base64", answer("%", 99))};
    }
};

struct spring_dialect {
    static constexpr char const* name = "Spring";
    static constexpr char const* server = nullptr;  // the contract
    static auto source(std::string const& at)
    {
        return weir::config::spring({.url = "spring://" + at,
                                     .application = "shop",
                                     .token = weir::registry::secret(canary),
                                     .poll = 500ms,
                                     .timeout = 1500ms});
    }
    // Flat keys: what cannot be said so is said as it is, and is then no answer of Spring's.
    static std::string says(std::string const& text, int version = 99)
    {
        boost::system::error_code ec;
        auto const v = boost::json::parse(text, ec);
        boost::json::object flat;
        if (!ec && v.is_object())
            for (auto const& [section, members] : v.get_object()) {
                if (!members.is_object()) flat[section] = members;
                if (members.is_object())
                    for (auto const& [key, value] : members.get_object())
                        flat[std::string(section) + "." + std::string(key)] = value;
            }
        return http_answer(200, R"({"name":"shop","version":")" + std::to_string(version) +
                                    R"(","propertySources":[{"name":"x","source":)" +
                                    (ec ? text : boost::json::serialize(flat)) + "}]}");
    }
    static std::string nothing() { return http_answer(200, R"({"name":"shop","propertySources":[]})"); }
    static std::vector<fault> faults()
    {
        return {testing::says("sources that are none", http_answer(200, R"({"name":"shop","propertySources":7})")),
                testing::says("a source of wrong types",
                              http_answer(200, R"({"name":"shop","propertySources":[{"name":1,"source":[]}]})"))};
    }
};

struct nacos_dialect {
    static constexpr char const* name = "Nacos cfg";
    static constexpr char const* server = nullptr;  // the contract
    static auto source(std::string const& at)
    {
        return weir::config::nacos({.url = "nacos://" + at,
                                    .data_id = "shop",
                                    .token = weir::registry::secret(canary),
                                    .api = weir::config::detail::nacos_api::v3,
                                    .poll = 500ms,
                                    .timeout = 1500ms});
    }
    static std::string says(std::string const& text, int version = 99)
    {
        return http_answer(200, R"({"code":0,"message":"success","data":{"content":)" +
                                    boost::json::serialize(boost::json::value(boost::json::string(text))) +
                                    R"(,"md5":")" + std::to_string(version) + R"(","contentType":"json"}})");
    }
    static std::string nothing()
    {
        return http_answer(404, R"({"code":20004,"message":"config data not exist","data":null})");
    }
    static std::vector<fault> faults()
    {
        return {testing::says("server error in 200",
                              http_answer(200, R"({"code":30000,"message":"server error","data":null})")),
                testing::says("denied in 200", http_answer(200, R"({"code":403,"message":"access denied","data":[]})")),
                testing::says("wrong types within", http_answer(200, R"({"code":0,"data":{"content":7,"md5":[]}})"))};
    }
};

/// Says it to a server, in a moment; whether that is done. For servers that are processes of their own.
bool tell(asio::ip::tcp::endpoint const& server, std::string const& request)
{
    asio::io_context io;
    asio::ip::tcp::socket to(io);
    boost::system::error_code ec;
    std::string said;
    if (!to.connect(server, ec)) asio::write(to, asio::buffer(request), ec);
    if (!ec) asio::read_until(to, asio::dynamic_buffer(said), "\r\n", ec);
    return !ec && said.starts_with("HTTP/1.1 200");
}

template <class Dialect>
class configuration final : public column {
public:
    configuration(asio::io_context& io, std::shared_ptr<column> server) : server_(std::move(server))
    {
        if constexpr (!Dialect::server)
            contract_.emplace(io, [this](std::string const&) { return Dialect::says(document(limit_), 10 + limit_); });
    }

    std::string name() const override { return Dialect::name; }
    boost::asio::ip::tcp::endpoint server() const override
    {
        return contract_ ? contract_->endpoint() : server_->server();
    }
    bool ready() override { return there_ = there_ || said(); }
    std::unique_ptr<sight> look(asio::any_io_executor executor, std::uint16_t port, bool naive, std::size_t,
                                sight::told told) override
    {
        auto const from = Dialect::source("127.0.0.1:" + std::to_string(port));
        if (naive) return std::make_unique<believing>(std::move(executor), from, std::move(told));
        return std::make_unique<refreshing>(std::move(executor), from, std::move(told));
    }
    void grow() override
    {
        limit_ = 5;
        (void)said();
    }
    std::vector<fault> faults() const override
    {
        auto all = http_faults();
        std::erase_if(all, [](fault const& f) { return f.watchers > 1; });
        for (auto& f : Dialect::faults()) all.push_back(std::move(f));
        return all;
    }
    std::vector<fault> losses() const override
    {
        std::vector<fault> all;
        auto const says = [&](std::string what, std::string const& text) {
            all.push_back(testing::says(std::move(what), Dialect::says(text)));
        };
        all.push_back(testing::says("no document", Dialect::nothing()));
        says("another environment's", R"({"environment":"dev","limit":{"limit":1}})");
        says("value below its range", R"({"limit":{"limit":0}})");
        says("value of a wrong type", R"({"limit":{"limit":"many"}})");
        says("key that nobody knows", R"({"limit":{"limit":1,"limti":9}})");
        says("section that nobody knows", R"({"limit":{"limit":1},"limits":{"x":1}})");
        says("one bad value of two", R"({"limit":{"limit":1,"max_queue":-1}})");
        return all;
    }

private:
    bool said() const
    {
        if constexpr (Dialect::server) return tell(server(), Dialect::put(document(limit_)));
        return true;
    }

    int limit_ = 4;
    bool there_ = false;
    std::shared_ptr<column> server_;
    std::optional<contract_server> contract_;
};

template <class Dialect>
void add(asio::io_context& io, subjects& all)
{
    std::shared_ptr<column> server;
    if constexpr (Dialect::server) {
        auto const found =
            std::find_if(all.begin(), all.end(), [](auto const& c) { return c->name() == Dialect::server; });
        if (found == all.end()) return;  // it is missing, and that has been said
        server = *found;
    }
    all.push_back(std::make_shared<configuration<Dialect>>(io, server));
}

}  // namespace

void add_configuration(asio::io_context& io, subjects& all, std::vector<std::string>&)
{
    add<consul_kv_dialect>(io, all);
    add<etcd_kv_dialect>(io, all);
    add<spring_dialect>(io, all);
    add<nacos_dialect>(io, all);
}

}  // namespace weir::testing
