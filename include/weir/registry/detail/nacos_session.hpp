// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/random.hpp>
#include <weir/registry/detail/nacos_document.hpp>
#include <weir/registry/detail/nacos_wire.hpp>
#include <weir/registry/detail/spawned.hpp>
#include <weir/registry/lease_backend.hpp>
#include <weir/registry/nacos_options.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// One conversation with a Nacos server: a watch_backend, for which waiting for a change is a pause and a read, and a
/// lease_backend. It knows the protocol and no patience. Used from one strand.
class nacos_session {
    using config_pointer = std::shared_ptr<nacos_config>;
    using listing_answer = spawned_answer<listing>;
    using reply_answer = spawned_answer<reply>;

public:
    nacos_session(asio::any_io_executor strand, config_pointer c, duration limit)
        : state_(std::make_shared<state>(std::move(strand), std::move(c), limit))
    {
    }

    [[nodiscard]] duration retry_after() const { return state_->wire.http().retry_after(); }
    void async_list(query const& q, listing_handler done)
    {
        spawn_for(strand(), list(state_, q, false), std::move(done));
    }
    void async_await_change(query const& q, std::string const&, listing_handler done)
    {
        spawn_for(strand(), list(state_, q, true), std::move(done));
    }
    void async_put(registration const& r, reply_handler done) { spawn_for(strand(), put(state_, r), std::move(done)); }
    void async_beat(registration const& r, health h, reply_handler done)
    {
        spawn_for(strand(), beat(state_, r, h), std::move(done));
    }
    void async_remove(registration const& r, reply_handler done)
    {
        spawn_for(strand(), remove(state_, r), std::move(done));
    }

private:
    struct state {
        state(asio::any_io_executor strand, config_pointer c, duration limit)
            : config(c), wire(strand, std::move(c), limit), pause(strand)
        {
        }

        [[nodiscard]] duration poll()
        {
            using std::chrono::seconds;
            auto d = config->options.poll;
            if (d == duration::zero()) d = std::clamp<duration>(cache.value_or(seconds(10)), seconds(1), seconds(60));
            return d - duration(static_cast<duration::rep>(
                           uniform_below(random, static_cast<std::uint64_t>((d / 10).count()))));
        }

        config_pointer config;
        nacos_wire wire;
        weir::timer pause;
        random_engine random{thread_random()()};
        std::uint64_t answers = 0;
        std::optional<duration> cache;  // what the server wants between two reads
        health put_as = health::passing;
        std::optional<registration> put = {};  // where the server has the instance
        std::vector<registration> left = {};   // places where it was, to be taken out
        bool light = false;                    // the server takes beats that say only who beats
        time_point quiet_until{};              // and wants none before then
    };
    using state_pointer = std::shared_ptr<state>;
    static constexpr auto token = asio::as_tuple(asio::use_awaitable);

    [[nodiscard]] asio::any_io_executor strand() { return state_->wire.http().get_executor(); }

    [[nodiscard]] static constexpr char const* instances(nacos_api api)
    {
        return api == nacos_api::v3 ? "/v3/client/ns/instance" : "/v1/ns/instance";
    }
    [[nodiscard]] static http::request form(char const* target, std::string body)
    {
        return http::post(target, std::move(body), "application/x-www-form-urlencoded");
    }

    static asio::awaitable<listing_answer> list(state_pointer s, query q, bool wait)
    {
        listing all;
        if (wait) {
            auto const [ended] = co_await s->pause.async_wait_for(s->poll(), token);
            if (ended) co_return listing_answer(ended, std::move(all));
        }
        all.server = s->wire.http().server();
        auto const& at = s->config->place;
        nacos_question const question = [&](nacos_api api) {
            return http::get(std::string(instances(api)) + "/list?" + nacos_list_query(api, at, q));
        };
        auto const said = co_await s->wire.ask(question);
        if (said.ec) {
            all.note = said.note;
            co_return listing_answer(said.ec, std::move(all));
        }
        all.revision = std::to_string(++s->answers);  // Nacos has no word for it
        auto const& body = said.answer.body();
        auto const verdict = read_nacos_verdict(body);
        // ErrorCode: there is no such resource, there is no such service.
        if (verdict && (verdict->code == 20004 || verdict->code == 21008))
            co_return listing_answer(said.ec, std::move(all));
        if (auto [bad, why] = judge(said.answer, verdict); bad || said.answer.result() != http::status::ok) {
            all.note = std::move(why);
            if (!bad) bad = make_error_code(errc::bad_document);
            co_return listing_answer(bad, std::move(all));
        }
        auto const bad = read_nacos_list(said.api, body, at, q, all, s->cache);
        if (!bad) s->config->learn(said.api);
        co_return listing_answer(bad, std::move(all));
    }

    using judgement = std::tuple<boost::system::error_code, std::string>;
    [[nodiscard]] static judgement judge(http::response const& a, std::optional<nacos_verdict> const& v)
    {
        auto const [bad, said] = judged(a);
        if (bad || !v) return {bad, bad ? said.note : shown(a)};
        return {v->error(), std::to_string(v->code) + ": " + v->message};
    }

    // To a question that is answered by "ok", or v3's envelope of it.
    [[nodiscard]] static reply_answer done(state& s, nacos_said const& said)
    {
        if (said.ec) return {said.ec, reply{true, said.note}};
        auto const& body = said.answer.body();
        auto const verdict = read_nacos_verdict(body);
        auto [bad, why] = judge(said.answer, verdict);
        bool const ok = said.api == nacos_api::v3 ? verdict.has_value() : body.rfind("ok", 0) == 0 && body.size() < 5;
        if (!bad && !ok) bad = make_error_code(errc::bad_document);
        if (bad) return {bad, reply{true, std::move(why)}};
        s.config->learn(said.api);
        return {bad, reply()};
    }

    static asio::awaitable<reply_answer> put(state_pointer s, registration r)
    {
        co_return co_await store(s, std::move(r), s->put_as);
    }

    static asio::awaitable<reply_answer> store(state_pointer s, registration r, health h)
    {
        s->light = false;
        s->quiet_until = {};
        nacos_question const question = [&](nacos_api api) {
            return form(instances(api), nacos_instance_form(api, s->config->place, r, h));
        };
        auto const said = co_await s->wire.ask(question);
        auto answer = done(*s, said);
        if (std::get<0>(answer)) co_return answer;
        s->put_as = h;
        move_to(*s, r);
        s->put = std::move(r);
        co_await sweep(s);
        co_return answer;
    }

    [[nodiscard]] static bool same_place(registration const& a, registration const& b)
    {
        return a.address == b.address && a.port == b.port;
    }

    // To Nacos, which knows no ids, another address is another instance: the old one has to be taken out.
    static void move_to(state& s, registration const& r)
    {
        std::erase_if(s.left, [&](registration const& old) { return same_place(old, r); });
        if (s.put && !same_place(*s.put, r)) s.left.push_back(*s.put);
    }

    // What cannot be taken out now is tried again with the next beat.
    static asio::awaitable<void> sweep(state_pointer s)
    {
        while (!s->left.empty()) {
            registration const old = s->left.back();
            auto const gone = co_await take_out(s, old);
            if (std::get<0>(gone)) co_return;
            s->left.pop_back();
        }
    }

    static asio::awaitable<reply_answer> take_out(state_pointer s, registration r)
    {
        nacos_question const question = [&](nacos_api api) {
            return http::del(std::string(instances(api)) + "?" + nacos_instance_key(api, s->config->place, r));
        };
        auto const said = co_await s->wire.ask(question);
        co_return done(*s, said);
    }

    static asio::awaitable<reply_answer> beat(state_pointer s, registration r, health h)
    {
        if (h != s->put_as) {
            auto stored = co_await store(s, r, h);
            if (std::get<0>(stored)) co_return stored;
        }
        co_await sweep(s);
        if (s->pause.now() < s->quiet_until) co_return reply_answer();
        auto const& at = s->config->place;
        nacos_question const question = [&](nacos_api api) {
            auto key = nacos_instance_key(api, at, r);
            if (api == nacos_api::v3) return form(instances(api), key + "&heartBeat=true");
            if (!s->light) nacos_add(key, "beat", nacos_beat_form(at, r));
            return http::put(std::string(instances(api)) + "/beat?" + key, {});
        };
        auto const said = co_await s->wire.ask(question);
        if (said.ec) co_return reply_answer(said.ec, reply{true, said.note});
        auto const [bad, status] = judged(said.answer);
        if (bad) co_return reply_answer(bad, status);
        std::string why;
        auto const heard = read_nacos_beat(said.answer.body(), why);
        if (!heard) {
            auto const verdict = read_nacos_verdict(said.answer.body());
            boost::system::error_code ec = make_error_code(errc::bad_document);
            if (verdict && verdict->code != 0) ec = verdict->error();
            co_return reply_answer(ec, reply{true, why});
        }
        s->config->learn(said.api);
        if (heard->unknown) co_return reply_answer(bad, reply{false, shown(said.answer)});
        s->light = heard->light;
        // Beats come at a third of the TTL. Where the server wants them more rarely, every second one is left out.
        auto const apart = std::min(heard->interval.value_or(duration::zero()), r.ttl / 3 * 2);
        if (apart > r.ttl / 3) s->quiet_until = later(s->pause.now(), apart / 10 * 8);
        co_return reply_answer();
    }

    static asio::awaitable<reply_answer> remove(state_pointer s, registration r)
    {
        if (r.service.empty() || r.address.empty() || r.port == 0)
            co_return reply_answer(asio::error::invalid_argument,
                                   reply{true, "Nacos needs service, address and port of an instance"});
        move_to(*s, r);
        auto answer = co_await take_out(s, std::move(r));
        s->put.reset();
        co_await sweep(s);
        co_return answer;
    }

    state_pointer state_;
};

static_assert(watch_backend<nacos_session> && lease_backend<nacos_session>);

}  // namespace weir::registry::detail
