// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "subject.hpp"

#include <weir/registry/registration.hpp>

#include <boost/system/error_code.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

using namespace std::chrono_literals;

namespace weir::testing {

using kind = fault::kind;

namespace {

/// The watchers of one registry object.
class watching final : public sight {
public:
    watching(subject::registry from, std::string const& service, std::size_t watchers, told t)
        : from_(std::move(from)), told_(std::move(t)), seen_(watchers, 0)
    {
        while (watches_.size() < watchers) watches_.push_back(from_.watch({.service = service}));
        for (std::size_t w = 0; w < watchers; ++w) listen(w);
    }

    std::string last_words() const override
    {
        auto const s = watches_.front().status();
        return s.last_error.message() + (s.note.empty() ? "" : " (" + s.note + ")");
    }
    bool all_see(std::size_t count) const override
    {
        return std::all_of(seen_.begin(), seen_.end(), [&](auto n) { return n == count; });
    }

private:
    void listen(std::size_t w)
    {
        watches_[w].async_next([this, w](boost::system::error_code ec, weir::registry::update const& u) {
            if (ec) return;
            seen_[w] = u.now->instances->size();
            if (w == 0) told_(u.now->version, seen_[w]);
            listen(w);
        });
    }

    subject::registry from_;
    told told_;
    std::vector<std::size_t> seen_;
    std::vector<weir::registry::watch> watches_;
};

}  // namespace

std::unique_ptr<sight> subject::look(asio::any_io_executor executor, std::uint16_t port, bool naive,
                                     std::size_t watchers, sight::told told)
{
    return std::make_unique<watching>(reach(std::move(executor), port, naive), "web", watchers, std::move(told));
}

std::unique_ptr<sight> lease_lost::look(asio::any_io_executor executor, std::uint16_t port, bool naive,
                                        std::size_t watchers, sight::told told)
{
    return std::make_unique<watching>(of_->reach(std::move(executor), port, naive), service_, watchers,
                                      std::move(told));
}

std::string http_answer(int status, std::string const& body, std::string const& headers)
{
    return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers +
           "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::vector<fault> connection_faults()
{
    return {{"down at start", kind::refuse, 0, "", true},
            {"gone, and back", kind::refuse},
            {"reset", kind::reset},
            {"never answered", kind::swallow},
            {"half-open", kind::freeze},
            {"one byte a second", kind::trickle},
            {"200 ms late", kind::delay},
            {"30 ms of life", kind::flap},
            {.name = "1000 watchers, 30 ms of life", .what = kind::flap, .watchers = 1000},
            {"closed unanswered", kind::cut, 0},
            {"cut after 1 byte", kind::cut, 1},
            {"cut after 12 bytes", kind::cut, 12},
            {"cut after 60 bytes", kind::cut, 60},
            {"another protocol", kind::answer, 0, "SSH-2.0-OpenSSH_9.2\r\n"},
            {"noise", kind::answer, 0, std::string(2000, '\xa7')},
            {"endless noise", kind::flood, 0, std::string(16384, '\0')}};
}

std::vector<fault> http_faults()
{
    auto all = connection_faults();
    auto const says = [&](std::string name, int status, std::string body, std::string headers = {}) {
        all.push_back({std::move(name), kind::answer, 0, http_answer(status, body, headers)});
    };
    all.push_back({"cut before the body", kind::cut_body, 0});
    all.push_back({"cut in the body", kind::cut_body, 20});
    says("not JSON", 200, "{\"instances\": [1, 2");
    says("nothing at all", 200, "");
    says("an empty object", 200, "{}");
    says("null", 200, "null");
    says("a number", 200, "42");
    says("wrong types", 200,
         R"([{"Service":7,"Checks":"x"},{"result":[]},{"kvs":1,"items":{},"hosts":true,"header":"h"},[],null])");
    says("depth bomb", 200, std::string(20000, '[') + std::string(20000, ']'));
    says("invalid UTF-8", 200, "[{\"Service\":{\"ID\":\"\xff\xfe\xc3\x28\"}}]");
    says("numbers too large", 200, R"([{"Port":1e400}])");
    says("a key twice", 200, R"({"kvs":[],"kvs":[{}]})");
    says("HTML with 200", 200, "<!doctype html><html><body>Please log in</body></html>", "X-Portal: yes\r\n");
    says("redirected to another host", 301, "", "Location: http://192.0.2.1/\r\n");
    says("redirected, 307", 307, "", "Location: http://192.0.2.1/\r\n");
    says("401", 401, R"({"error":"who are you"})", "WWW-Authenticate: Bearer\r\n");
    says("403", 403, R"({"error":"you may not"})");
    auto const repeats = [&](std::string name, int status) {
        all.push_back({.name = std::move(name), .what = kind::answer, .reply = [status](std::string_view asked) {
                           return http_answer(status, "cannot understand " + std::string(asked));
                       }});
    };
    repeats("403, repeats the question", 403);
    repeats("500, repeats the question", 500);
    repeats("200, repeats the question", 200);
    says("404", 404, "404 page not found");
    says("410", 410, "gone");
    says("429", 429, "slow down", "Retry-After: 1\r\n");
    says("500", 500, "trouble");
    says("502", 502, "<html>bad gateway</html>");
    says("503", 503, "later", "Retry-After: 99999999999\r\n");
    says("204", 204, "");
    all.push_back({"100 MB body", kind::flood, 0,
                   "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n" + std::string(16384, ' ')});
    all.push_back(
        {"endless chunks", kind::answer, 0,
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n" + std::string(0x4000, ' ') + "\r\n"});
    all.push_back({"endless headers", kind::flood, 0, "HTTP/1.1 200 OK\r\nX: " + std::string(16000, 'x') + "\r\n"});
    all.push_back({"bad chunk size", kind::answer, 0,
                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n[]\r\n0\r\n\r\n"});
    all.push_back({"two lengths", kind::answer, 0,
                   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n[]"});
    all.push_back({"continue for ever", kind::flood, 0, "HTTP/1.1 100 Continue\r\n\r\n"});
    return all;
}

weir::registry::watch_options test_watch(bool naive)
{
    weir::registry::watch_options o;
    o.list_timeout = 1500ms;
    o.await_timeout = 8s;
    o.backoff = exponential(50ms, 1s).with(jitter::decorrelated);
    o.pace = 100ms;
    o.hold = 60s;
    o.max_retry_after = 1s;  // one of the faults wishes for three thousand years
    if (naive) {
        o.on_empty = weir::registry::empty_answer::accept;
        o.max_loss = 1;
    }
    return o;
}

std::size_t enrolment::restored() const
{
    return static_cast<std::size_t>(std::count_if(held_.begin(), held_.end(), [](auto const& l) {
        auto const s = l->has_value() ? (*l)->status() : weir::registry::lease_status();
        return s.registered && s.lost > 0;
    }));
}

weir::registry::lease_options test_lease()
{
    return {.timeout = 2s, .backoff = exponential(50ms, 200ms).with(jitter::decorrelated)};
}

void enrolment::add(int number)
{
    auto const held = held_.emplace_back(std::make_shared<std::optional<weir::registry::lease>>());
    weir::registry::registration me{.service = service_, .address = "10.0.0." + std::to_string(number), .port = 8080};
    me.id = service_ + "-" + std::to_string(number);
    me.ttl = ttl_;
    where_.async_register(me, [held](boost::system::error_code ec, weir::registry::lease l) {
        if (ec) throw std::runtime_error("cannot register: " + ec.message());
        *held = std::move(l);
    });
}

bool enrolment::complete() const
{
    return std::all_of(held_.begin(), held_.end(), [](auto const& l) { return l->has_value(); });
}

}  // namespace weir::testing
