// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/errc.hpp>
#include <weir/registry/detail/cancelled.hpp>
#include <weir/registry/detail/session.hpp>
#include <weir/registry/detail/zookeeper_document.hpp>
#include <weir/registry/detail/zookeeper_line.hpp>
#include <weir/registry/lease_backend.hpp>
#include <weir/registry/watch_backend.hpp>
#include <weir/registry/zookeeper_options.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// What the conversations of one registry::zookeeper have in common. Immutable.
struct zookeeper_config {
    zookeeper_config(zookeeper_options const& o, zookeeper_stream_maker open)
        : options(o.checked()),
          tls(o.address().tls),
          access(std::make_shared<zookeeper_access const>(zookeeper_access{
              o.address().servers, options.user, options.password, options.connect_timeout, std::move(open)}))
    {
        options.watch.await_timeout = options.wait + std::chrono::seconds(10);
    }

    [[nodiscard]] std::string path(std::string const& service) const
    {
        return options.root + "/" + zookeeper_node_name(service);
    }
    [[nodiscard]] std::string path(registration const& r) const
    {
        return path(r.service) + "/" + zookeeper_node_name(r.id);
    }

    zookeeper_options options;
    bool tls;
    std::shared_ptr<zookeeper_access const> access;
};

/// What is said in one session, as coroutines, one at a time: they give false when it came to nothing, and `run` hands
/// on what they said. Goes when its session and all that is going on in it have gone.
/// What co_await gives is named before it is looked at: in a condition, GCC 12 gives the coroutine a wrong `this`.
/// Threads: everything on the strand it was made for.
class zookeeper_talk {
    using config_pointer = std::shared_ptr<zookeeper_config const>;
    static constexpr std::size_t max_children = 100'000, batch = 200;

public:
    zookeeper_talk(asio::any_io_executor strand, config_pointer c, duration limit)
        : executor(std::move(strand)), config_(std::move(c)), limit_(limit)
    {
    }
    zookeeper_talk(zookeeper_talk const&) = delete;
    ~zookeeper_talk()
    {
        // A registration is not taken back by going: its session is left to run out.
        if (line_ && registered_in_ == 0) line_->end_session();
    }

    void listen()
    {
        line_ = std::make_shared<zookeeper_line>(executor, config_->access, [this](zk_event const& e) { note(e); });
    }

    asio::any_io_executor const executor;
    health beat_state = health::passing;

    asio::awaitable<bool> list(query const& q, listing& all)
    {
        bool const linked = co_await connected(config_->options.session);
        if (!linked) co_return false;
        children_.clear();
        changed_.clear();
        children_changed_ = true;
        co_return co_await refresh(q, all);
    }

    asio::awaitable<bool> await_change(query const& q, listing& all)
    {
        if (!line_->open()) co_return co_await list(q, all);
        auto const until = later(line_->now(), config_->options.wait);
        while (!children_changed_ && changed_.empty() && line_->now() < until) {
            bool const waited = co_await line_->wait(until);
            if (!waited) co_return fail(all.note);
        }
        co_return co_await refresh(q, all);
    }

    asio::awaitable<bool> put(registration const& r, reply& said)
    {
        bool const linked = co_await connected(r.ttl);
        if (!linked) co_return false;
        if (line_->granted() < r.ttl / 3 * 2)
            co_return fail(said.note, errc::registry_refused,
                           "the server keeps sessions for " + weir::detail::option_text(line_->granted()) +
                               " at most, too short for a ttl of " + weir::detail::option_text(r.ttl));
        auto const path = config_->path(r);
        registered_ms_ =
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
                .count();
        auto const data = write_zookeeper_instance(to_instance(r, beat_state), registered_ms_);
        zookeeper_answer a;
        for (int tries = 0; tries < 4; ++tries) {
            bool const created = co_await create(path, data, true, a);
            if (!created) co_return fail(said.note);
            if (a.error == zk_error::none) break;
            if (a.error == zk_error::no_node) {
                bool const grown = co_await create_parents(path, a);
                if (!grown) co_return fail(said.note);
            } else if (a.error == zk_error::node_exists) {
                bool const cleared = co_await make_room(path, data, a);
                if (!cleared) co_return fail(said.note);
                if (a.error == zk_error::none) break;
            }
            if (a.error != zk_error::no_node && a.error != zk_error::node_exists) break;
        }
        if (a.error != zk_error::none) co_return refuse(said.note, a.error, path);
        registered_in_ = line_->session();
        written_state_ = beat_state;
        co_return true;
    }

    asio::awaitable<bool> beat(registration const& r, reply& said)
    {
        bool const linked = co_await connected(r.ttl);
        if (!linked) co_return false;
        auto const unknown = [&](char const* why) {
            said = {.known = false, .note = why};
            return true;
        };
        if (line_->session() != registered_in_) co_return unknown("the session has expired");
        auto const path = config_->path(r);
        zookeeper_answer a;
        bool const heard = co_await read(zk_op::exists, path, false, a);
        if (!heard) co_return fail(said.note);
        if (a.error == zk_error::no_node) co_return unknown("the node is gone");
        if (a.error != zk_error::none) co_return refuse(said.note, a.error, path);
        auto const stat = read_zk_stat(a.body);
        if (!stat) co_return garbled(said.note);
        if (stat->owner != registered_in_) co_return unknown("the node belongs to another session");
        if (beat_state == written_state_) co_return true;
        auto const data = write_zookeeper_instance(to_instance(r, beat_state), registered_ms_);
        auto const xid = line_->next_xid();
        bool const sent = co_await ask(write_zk_set_data(xid, path, data), xid, a);
        if (!sent) co_return fail(said.note);
        if (a.error == zk_error::no_node) co_return unknown("the node is gone");
        if (a.error != zk_error::none) co_return refuse(said.note, a.error, path);
        written_state_ = beat_state;
        co_return true;
    }

    asio::awaitable<bool> remove(registration const& r, reply& said)
    {
        if (r.service.empty())
            co_return fail(said.note, errc::registry_refused, "ZooKeeper needs to know the service too");
        bool const linked = co_await connected(config_->options.session);
        if (!linked) co_return false;
        auto const path = config_->path(r);
        zookeeper_answer a;
        if (registered_in_ != 0) {  // ours, unless somebody has taken the place meanwhile
            bool const heard = co_await read(zk_op::exists, path, false, a);
            if (!heard) co_return fail(said.note);
            auto const stat = read_zk_stat(a.body);
            if (a.error == zk_error::none && !stat) co_return garbled(said.note);
            if (a.error == zk_error::none && stat->owner != registered_in_) a.error = zk_error::no_node;
        }
        if (a.error == zk_error::none) {
            auto const xid = line_->next_xid();
            bool const sent = co_await ask(write_zk_remove(xid, path), xid, a);
            if (!sent) co_return fail(said.note);
        }
        if (a.error != zk_error::none && a.error != zk_error::no_node) co_return refuse(said.note, a.error, path);
        registered_in_ = 0;
        line_->end_session();
        co_return true;
    }

    template <class What, class Said>
    static asio::awaitable<std::tuple<boost::system::error_code, Said>> run(
        std::shared_ptr<zookeeper_talk> self, asio::awaitable<bool> (*step)(zookeeper_talk&, What const&, Said&),
        What what)
    {
        // Cancellation ends what is going on, and the answer that says so is to be delivered.
        co_await asio::this_coro::throw_if_cancelled(false);
        Said said;
        bool const stopped = co_await cancelled();
        if (stopped) co_return std::tuple(asio::error::operation_aborted, std::move(said));
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        bool const once = self->limit_ > duration::zero();
        if (once) self->line_->limit(later(self->line_->now(), self->limit_));
        self->error_ = {};
        self->note_ = &said.note;
        bool const good = co_await step(*self, what, said);
        self->note_ = nullptr;
        if (once) self->line_->end_session();
        if (!good && !self->error_) self->error_ = make_error_code(errc::registry_unavailable);
        co_return std::tuple(good ? boost::system::error_code() : self->error_, std::move(said));
    }

private:
    asio::awaitable<bool> connected(duration session)
    {
        if (line_->open()) co_return true;
        bool const linked = co_await line_->connect(session);
        if (linked) co_return true;
        co_return fail(*note_);
    }

    // The connection was lost.
    bool fail(std::string& note)
    {
        error_ = line_->error();
        note = line_->why();
        return false;
    }
    bool fail(std::string& note, errc e, std::string why)
    {
        error_ = make_error_code(e);
        note = std::move(why);
        return false;
    }
    bool garbled(std::string& note)
    {
        line_->drop(make_error_code(errc::bad_document), "an answer that cannot be read");
        return fail(note);
    }
    bool refuse(std::string& note, zk_error e, std::string const& path)
    {
        // What these say will be so the next time, the others may pass.
        bool const no = e == zk_error::no_auth || e == zk_error::auth_failed || e == zk_error{-8} ||
                        e == zk_error{-111} || e == zk_error{-108} || e == zk_error::no_node ||
                        e == zk_error::node_exists;
        if (e == zk_error::session_expired) line_->drop(make_error_code(errc::registry_unavailable), "expired");
        return fail(note, no ? errc::registry_refused : errc::registry_unavailable,
                    (e == zk_error::no_auth ? "permission denied" : "error " + std::to_string(static_cast<int>(e))) +
                        " for " + path);
    }

    asio::awaitable<bool> ask(std::string frame, std::int32_t xid, zookeeper_answer& a)
    {
        std::vector<zookeeper_answer> answers;
        bool const sent = co_await line_->ask(std::move(frame), xid, 1, answers);
        if (!sent) co_return false;
        a = std::move(answers.front());
        co_return true;
    }
    asio::awaitable<bool> read(zk_op op, std::string const& path, bool watch, zookeeper_answer& a)
    {
        auto const xid = line_->next_xid();
        co_return co_await ask(write_zk_read(xid, op, path, watch), xid, a);
    }
    asio::awaitable<bool> create(std::string const& path, std::string const& data, bool ephemeral, zookeeper_answer& a)
    {
        auto const xid = line_->next_xid();
        co_return co_await ask(write_zk_create(xid, path, data, ephemeral, config_->options.private_nodes), xid, a);
    }

    // a.error: no_node when they are there now.
    asio::awaitable<bool> create_parents(std::string const& path, zookeeper_answer& a)
    {
        for (auto at = path.find('/', 1); at != path.npos; at = path.find('/', at + 1)) {
            std::string const parent = path.substr(0, at), nothing;
            bool const created = co_await create(parent, nothing, false, a);
            if (!created) co_return false;
            if (a.error != zk_error::none && a.error != zk_error::node_exists) co_return true;
        }
        a.error = zk_error::no_node;
        co_return true;
    }

    // The node is there: of this session, or of an older one of this instance, which goes.
    asio::awaitable<bool> make_room(std::string const& path, std::string const& data, zookeeper_answer& a)
    {
        bool const heard = co_await read(zk_op::exists, path, false, a);
        if (!heard) co_return false;
        if (a.error != zk_error::none) co_return true;
        auto const stat = read_zk_stat(a.body);
        if (stat && stat->owner == line_->session()) {
            auto const xid = line_->next_xid();
            co_return co_await ask(write_zk_set_data(xid, path, data), xid, a);
        }
        auto const xid = line_->next_xid();
        bool const sent = co_await ask(write_zk_remove(xid, path), xid, a);
        if (!sent) co_return false;
        if (a.error == zk_error::none) a.error = zk_error::node_exists;  // to be created again
        co_return true;
    }

    void note(zk_event const& e)
    {
        if (e.type == zk_event_type::data && e.path.size() > parent_.size() + 1 && e.path.starts_with(parent_ + "/"))
            changed_.insert(e.path.substr(parent_.size() + 1));
        else if (e.type != zk_event_type::none)
            children_changed_ = true;
    }

    // Reads what is said to have changed, each with a watch again. An event that comes meanwhile is for next time.
    asio::awaitable<bool> refresh(query const& q, listing& all)
    {
        if (q.service.empty()) co_return fail(all.note, errc::registry_refused, "the query names no service");
        parent_ = config_->path(q.service);
        for (int rounds = 0; children_changed_ && rounds < 5; ++rounds) {
            children_changed_ = false;
            zookeeper_answer a;
            bool const heard = co_await read(zk_op::get_children, parent_, true, a);
            if (!heard) co_return fail(all.note);
            if (a.error == zk_error::none) {
                auto names = read_zk_children(a.body);
                if (!names || names->size() > max_children) co_return garbled(all.note);
                take_names(std::move(*names));
                break;
            }
            if (a.error != zk_error::no_node) co_return refuse(all.note, a.error, parent_);
            take_names({});
            // Nothing was ever registered. If that is still so, the watch for it to be created is set.
            bool const heard_again = co_await read(zk_op::exists, parent_, true, a);
            if (!heard_again) co_return fail(all.note);
            if (a.error == zk_error::none)
                children_changed_ = true;
            else if (a.error != zk_error::no_node)
                co_return refuse(all.note, a.error, parent_);
        }
        while (!changed_.empty()) {
            std::vector<std::string> names;
            while (!changed_.empty() && names.size() < batch)
                names.push_back(std::move(changed_.extract(changed_.begin()).value()));
            bool const heard = co_await read_instances(q, names, all);
            if (!heard) co_return false;
        }
        fill(q, all);
        if (!all.instances.empty() || all.skipped == 0) co_return true;
        co_return fail(all.note, errc::bad_document, "none of the nodes can be used; the first: " + all.note);
    }

    void take_names(std::vector<std::string> names)
    {
        std::sort(names.begin(), names.end());
        std::erase_if(children_,
                      [&](auto const& c) { return !std::binary_search(names.begin(), names.end(), c.first); });
        std::erase_if(changed_, [&](auto const& n) { return !std::binary_search(names.begin(), names.end(), n); });
        for (auto& n : names)
            if (!children_.contains(n)) changed_.insert(std::move(n));
    }

    asio::awaitable<bool> read_instances(query const& q, std::vector<std::string> const& names, listing& all)
    {
        std::string frames;
        std::int32_t first = 0;
        for (auto const& n : names) {
            auto const xid = line_->next_xid();
            if (first == 0) first = xid;
            frames += write_zk_read(xid, zk_op::get_data, parent_ + "/" + n, true);
        }
        std::vector<zookeeper_answer> answers;
        bool const sent = co_await line_->ask(std::move(frames), first, names.size(), answers);
        if (!sent) co_return fail(all.note);
        for (std::size_t n = 0; n < names.size(); ++n) {
            auto const& a = answers[n];
            if (a.error == zk_error::no_node) {
                children_.erase(names[n]);
                continue;
            }
            if (a.error != zk_error::none) co_return refuse(all.note, a.error, parent_);
            auto const data = read_zk_data(a.body);
            if (!data) co_return garbled(all.note);
            auto& c = children_[names[n]];
            c.as_instance = read_zookeeper_instance(q.service, names[n], *data, c.why);
        }
        co_return true;
    }

    void fill(query const& q, listing& all) const
    {
        all.instances.reserve(children_.size());
        for (auto const& [name, c] : children_)
            if (!c.as_instance) {
                if (++all.skipped == 1) all.note = name + ": " + c.why;
            } else if (q.matches(*c.as_instance)) {
                all.instances.push_back(*c.as_instance);
            }
        all.revision = std::to_string(line_->zxid());
    }

    struct child {
        std::optional<instance> as_instance;
        std::string why;
    };

    config_pointer config_;
    duration limit_;
    std::shared_ptr<zookeeper_line> line_;
    boost::system::error_code error_;
    std::string* note_ = nullptr;
    // What is known of the service that is watched.
    std::string parent_;
    std::map<std::string, child> children_;
    std::set<std::string> changed_;
    bool children_changed_ = true;
    // What is registered.
    std::int64_t registered_in_ = 0;  // a session; 0: nothing
    std::int64_t registered_ms_ = 0;
    health written_state_ = health::passing;
};

}  // namespace weir::registry::detail
