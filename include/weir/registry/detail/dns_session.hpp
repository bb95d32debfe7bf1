// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/endpoint.hpp>
#include <weir/core/errc.hpp>
#include <weir/registry/detail/dns_answer.hpp>
#include <weir/registry/detail/dns_exchange.hpp>
#include <weir/registry/detail/network_registry.hpp>
#include <weir/registry/detail/resolv_conf.hpp>
#include <weir/registry/dns_options.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// What the conversations of one registry::dns have in common. Immutable.
struct dns_config {
    explicit dns_config(dns_options const& o) : options(o.checked()), servers(o.address().servers)
    {
        options.watch.list_timeout = options.timeout + std::chrono::seconds(1);
        options.watch.await_timeout = options.max_ttl + options.watch.list_timeout;
    }

    [[nodiscard]] std::vector<endpoint> servers_now() const
    {
        if (!servers.empty()) return servers;
        std::ifstream file(options.resolv_conf);
        return read_resolv_conf(std::string(std::istreambuf_iterator<char>(file), {}));
    }

    dns_options options;
    std::vector<endpoint> servers;
};

/// One conversation with the servers of a DNS: a watch_backend. A change shows when the TTL of the answer before has
/// run out, so that is what waiting for a change is.
/// Threads: everything on the strand it was made for.
class dns_session {
public:
    using config_pointer = std::shared_ptr<dns_config const>;

    /// `limit`: of each question; 0: that of the options.
    dns_session(asio::any_io_executor strand, config_pointer c, duration limit)
        : talk_(std::make_shared<talk>(std::move(strand), std::move(c), limit))
    {
    }

    void async_list(query const& q, listing_handler done) { start(q, false, std::move(done)); }

    void async_await_change(query const& q, std::string const&, listing_handler done)
    {
        start(q, true, std::move(done));
    }

private:
    using found = std::tuple<boost::system::error_code, listing>;

    // A service as it is being put together.
    struct service {
        query q;
        time_point deadline{};
        listing all = {};
        boost::system::error_code error = {};
        std::uint32_t ttl = 0x7fff'ffff;

        void fail(dns_answer a)
        {
            error = a.error;
            all.note = std::move(a.why);
        }
    };

    class talk {
    public:
        talk(asio::any_io_executor strand, config_pointer c, duration limit)
            : executor(std::move(strand)),
              config_(std::move(c)),
              limit_(limit > duration::zero() ? limit : config_->options.timeout),
              pause_(executor)
        {
        }

        asio::any_io_executor const executor;

        static asio::awaitable<found> run(std::shared_ptr<talk> self, query q, bool wait)
        {
            // Cancellation ends what is going on, and the answer that says so is to be delivered.
            co_await asio::this_coro::throw_if_cancelled(false);
            if (co_await cancelled()) co_return found(asio::error::operation_aborted, listing());
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
            if (wait) {
                auto const [stopped] = co_await self->pause_.async_wait_until(self->refresh_at_, quietly);
                if (stopped) co_return found(stopped, listing());
            }
            service s{.q = std::move(q), .deadline = later(self->pause_.now(), self->limit_)};
            co_await self->list(s);
            if (!s.error) self->note_lifetime(s);
            co_return found(s.error, std::move(s.all));
        }

    private:
        asio::awaitable<void> list(service& s)
        {
            std::string why;
            auto const name = fill_dns_name(config_->options.name, s.q, why);
            if (name.empty()) {
                s.error = make_error_code(errc::registry_refused);
                s.all.note = why;
                co_return;
            }
            if (config_->options.type == dns_type::srv) co_return co_await list_srv(s, name);
            dns_addresses const none_known;
            auto const addresses = co_await addresses_of(s, name, none_known);
            for (auto const& a : addresses) s.all.instances.push_back(dns_instance(a, config_->options.port, s.q));
        }

        asio::awaitable<void> list_srv(service& s, std::string name)
        {
            auto const a = co_await look_up(s, name, dns_record_type::srv);
            s.ttl = std::min(s.ttl, a.ttl);
            if (a.what == dns_answer::kind::failed) co_return s.fail(a);
            // The root as a target: the service is decidedly not there (RFC 2782).
            if (a.records.size() == 1 && a.records.front().target == ".") co_return;

            std::map<std::string, std::vector<std::string>> by_target;
            for (auto const& r : a.records) {
                if (r.port == 0 || r.target == "." || !valid_dns_name(r.target)) continue;
                if (by_target.contains(r.target)) continue;
                dns_addresses known;
                if (auto const came = a.additional.find(r.target); came != a.additional.end()) known = came->second;
                auto addresses = co_await addresses_of(s, r.target, known);
                if (s.error) co_return;  // a part would not be the service
                if (!addresses.empty()) by_target.emplace(r.target, std::move(addresses));
            }
            for (auto const& r : a.records)
                if (r.port == 0 || !by_target.contains(r.target)) ++s.all.skipped;
            s.all.instances = srv_instances(a.records, by_target, s.q);
            if (s.all.skipped == 0) co_return;
            s.all.note = std::to_string(s.all.skipped) + " SRV records skipped: no port, or no address";
            if (s.all.instances.empty()) s.error = make_error_code(errc::bad_document);
        }

        // Of one kind only. None: there are none.
        asio::awaitable<std::vector<std::string>> addresses_of(service& s, std::string name, dns_addresses known)
        {
            auto const family = config_->options.family;
            bool const v6_first = family == dns_family::v6_first || family == dns_family::v6_only;
            bool const both = family == dns_family::v4_first || family == dns_family::v6_first;
            std::array const kinds{v6_first ? dns_record_type::aaaa : dns_record_type::a,
                                   v6_first ? dns_record_type::a : dns_record_type::aaaa};
            auto const wanted = std::span(kinds).first(both ? 2 : 1);
            for (auto const type : wanted)
                if (auto const& have = type == dns_record_type::a ? known.v4 : known.v6; !have.empty()) {
                    s.ttl = std::min(s.ttl, known.ttl);
                    co_return have;
                }
            for (auto const type : wanted) {
                auto const a = co_await look_up(s, name, type);
                s.ttl = std::min(s.ttl, a.ttl);
                if (a.what == dns_answer::kind::failed) s.fail(a);
                if (s.error) break;
                std::vector<std::string> out;
                for (auto const& r : a.records) out.push_back(r.address);
                if (!out.empty()) co_return out;
            }
            co_return std::vector<std::string>();
        }

        // Follows aliases that an answer did not follow itself.
        asio::awaitable<dns_answer> look_up(service const& s, std::string name, dns_record_type type)
        {
            auto ttl = std::uint32_t{0x7fff'ffff};
            for (int hops = 0; hops < 8; ++hops) {
                auto a = co_await ask_servers(s, name, type);
                a.ttl = ttl = std::min(ttl, a.ttl);
                if (a.what != dns_answer::kind::alias) co_return a;
                name = a.alias;
                if (!valid_dns_name(name)) break;
            }
            co_return dns_answer{.what = dns_answer::kind::failed,
                                 .error = make_error_code(errc::bad_document),
                                 .why = "aliases that lead nowhere"};
        }

        asio::awaitable<dns_answer> ask_servers(service const& s, std::string name, dns_record_type type)
        {
            auto const servers = config_->servers_now();
            dns_answer last{.what = dns_answer::kind::failed,
                            .error = make_error_code(errc::registry_unavailable),
                            .why = "no answer within " + weir::detail::option_text(limit_)};
            for (std::size_t i = 0; i < servers.size() * config_->options.rounds; ++i) {
                auto const left = between(pause_.now(), s.deadline);
                if (left <= duration::zero()) break;
                auto const& server = servers[server_ % servers.size()];
                last = co_await ask(server, name, type, std::min(left, config_->options.try_timeout));
                if (last.what != dns_answer::kind::failed || last.error == asio::error::operation_aborted) break;
                last.why += ", from " + server.id;
                ++server_;
            }
            co_return last;
        }

        asio::awaitable<dns_answer> ask(endpoint server, std::string name, dns_record_type type, duration limit)
        {
            dns_question question{.name = name, .type = type, .tcp = config_->options.tcp, .edns = true};
            auto out = co_await dns_exchange(server, question, limit);
            // FORMERR, NOTIMP: a server from before EDNS. Without EDNS only TCP has room.
            bool const old = !out.error && (out.message.rcode == 1 || out.message.rcode == 4);
            if (old || (!out.error && out.message.truncated && !question.tcp)) {
                question.tcp = true;
                question.edns = !old;
                out = co_await dns_exchange(server, question, limit);
            }
            if (!out.error && out.message.truncated) {
                out.error = make_error_code(errc::bad_document);
                out.why = "cut short, over TCP";
            }
            if (out.error)
                co_return dns_answer{.what = dns_answer::kind::failed, .error = out.error, .why = std::move(out.why)};
            co_return read_dns_answer(out.message, name, type);
        }

        void note_lifetime(service& s)
        {
            auto const& o = config_->options;
            duration const ttl = std::chrono::seconds(s.ttl);
            refresh_at_ = later(pause_.now(), std::clamp(ttl / 5 * 4, o.min_ttl, o.max_ttl));
            s.all.revision = std::to_string(++answers_);  // DNS has no word for it
        }

        config_pointer config_;
        duration limit_;
        weir::timer pause_;
        time_point refresh_at_{};
        std::size_t server_ = 0;
        std::uint64_t answers_ = 0;
    };

    void start(query const& q, bool wait, listing_handler done)
    {
        asio::co_spawn(talk_->executor, talk::run(talk_, q, wait), coroutine_end<listing>{std::move(done)});
    }

    std::shared_ptr<talk> talk_;
};

static_assert(watch_backend<dns_session>);

}  // namespace weir::registry::detail
