// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/random.hpp>
#include <weir/registry/registration.hpp>
#include <weir/registry/watch.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// What registry::memory knows: instances with their time to live, and who watches them. Threads: any.
class memory_table : public std::enable_shared_from_this<memory_table> {
public:
    memory_table(asio::any_io_executor executor, std::size_t max_instances)
        : executor_(std::move(executor)),
          max_instances_(max_instances),
          epoch_(std::to_string(thread_random()() >> 1)),
          alarm_(executor_)
    {
    }

    [[nodiscard]] asio::any_io_executor executor() const noexcept { return executor_; }

    bool add(registration r)
    {
        r = checked(std::move(r));
        std::unique_lock lock(mutex_);
        auto known = instances_.find(r.id);
        if (known == instances_.end() && instances_.size() >= max_instances_) return false;
        std::vector<std::string> touched;
        auto now = to_instance(r, health::passing);
        if (known == instances_.end())
            known = instances_.emplace(r.id, entry{}).first;
        else if (known->second.shown.service != r.service)
            touched.push_back(known->second.shown.service);
        if (!(known->second.shown == now)) touched.push_back(r.service);
        known->second = {std::move(r), std::move(now), alarm_.now()};
        arm(known->second);
        return tell(lock, touched), true;
    }

    bool beat(std::string_view id, health state)
    {
        std::unique_lock lock(mutex_);
        auto const known = instances_.find(id);
        if (known == instances_.end()) return false;
        auto& e = known->second;
        e.heard = alarm_.now();
        arm(e);
        auto now = to_instance(e.registered, state);
        if (e.shown == now) return true;
        e.shown = std::move(now);
        return tell(lock, {e.shown.service}), true;
    }

    bool remove(std::string_view id)
    {
        std::unique_lock lock(mutex_);
        auto const known = instances_.find(id);
        if (known == instances_.end()) return false;
        std::vector<std::string> const touched{known->second.shown.service};
        instances_.erase(known);
        return tell(lock, touched), true;
    }

    [[nodiscard]] std::shared_ptr<snapshot const> list(query const& q) const
    {
        std::lock_guard const lock(mutex_);
        return std::make_shared<snapshot const>(look(q));
    }

    [[nodiscard]] std::shared_ptr<feed> subscribe(query const& q)
    {
        std::lock_guard const lock(mutex_);
        std::erase_if(feeds_, [](auto const& f) { return f.second.expired(); });
        auto& known = feeds_[q];
        auto f = known.lock();
        if (!f) {
            known = f = std::make_shared<feed>();
            f->publish(look(q), cause::first);
        }
        return f;
    }

    void close()
    {
        std::unique_lock lock(mutex_);
        alarm_.cancel();
        auto const feeds = std::exchange(feeds_, {});
        lock.unlock();
        for (auto const& [q, weak] : feeds)
            if (auto const f = weak.lock()) f->stop();
    }

private:
    struct entry {
        registration registered;
        instance shown;
        time_point heard{};

        [[nodiscard]] time_point critical_at() const { return later(heard, registered.ttl); }
        [[nodiscard]] time_point gone_at() const
        {
            auto const after = registered.deregister_after;
            return after == duration::zero() ? never : later(critical_at(), after);
        }
    };

    // Under the lock.
    [[nodiscard]] snapshot look(query const& q) const
    {
        auto all = std::make_shared<snapshot::list>();
        for (auto const& [id, e] : instances_)
            if (q.matches(e.shown)) all->push_back(e.shown);
        auto const changed = changed_.find(q.service);
        auto const change = changed == changed_.end() ? std::uint64_t{0} : changed->second;
        // The epoch makes a revision of another life of this registry look like what it is: different.
        return {.version = changes_ + 1,
                .revision = epoch_ + "." + std::to_string(change),
                .from = origin::live,
                .as_of = alarm_.now(),
                .instances = std::move(all)};
    }

    // Publishes what became of these services, with the lock released: late is harmless, a feed takes only what is
    // newer.
    void tell(std::unique_lock<std::mutex>& lock, std::vector<std::string> const& services)
    {
        std::vector<std::pair<std::shared_ptr<feed>, snapshot>> news;
        for (auto const& s : services) {
            auto const lives = [&](auto const& i) { return i.second.shown.service == s; };
            ++changes_;
            if (std::any_of(instances_.begin(), instances_.end(), lives))
                changed_[s] = changes_;
            else
                changed_.erase(s);
        }
        for (auto const& [q, weak] : feeds_)
            if (std::find(services.begin(), services.end(), q.service) != services.end())
                if (auto f = weak.lock()) news.emplace_back(std::move(f), look(q));
        lock.unlock();
        for (auto& [f, s] : news) f->publish(std::move(s), cause::change);
    }

    // Under the lock: wakes no later than this entry needs it. Heartbeats only move that further away.
    void arm(entry const& e)
    {
        auto const at =
            e.shown.state == health::critical && e.critical_at() <= alarm_.now() ? e.gone_at() : e.critical_at();
        if (at >= armed_) return;
        armed_ = at;
        alarm_.cancel();
        alarm_.async_wait_until(at, [weak = this->weak_from_this()](boost::system::error_code ec) {
            if (auto const self = weak.lock(); self && !ec) self->sweep();
        });
    }

    void sweep()
    {
        std::unique_lock lock(mutex_);
        auto const now = alarm_.now();
        armed_ = never;
        std::vector<std::string> touched;
        for (auto i = instances_.begin(); i != instances_.end();) {
            auto& e = i->second;
            if (e.gone_at() <= now) {
                touched.push_back(e.shown.service);
                i = instances_.erase(i);
                continue;
            }
            if (e.critical_at() <= now && e.shown.state != health::critical) {
                e.shown = to_instance(e.registered, health::critical);
                touched.push_back(e.shown.service);
            }
            arm(e);
            ++i;
        }
        std::sort(touched.begin(), touched.end());
        touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
        tell(lock, touched);
    }

    asio::any_io_executor const executor_;
    std::size_t const max_instances_;
    std::string const epoch_;
    mutable std::mutex mutex_;
    std::map<std::string, entry, std::less<>> instances_;
    std::map<std::string, std::uint64_t> changed_;  // per service with instances: the change that touched it last
    std::map<query, std::weak_ptr<feed>> feeds_;
    std::uint64_t changes_ = 0;
    time_point armed_ = never;
    weir::timer alarm_;
};

}  // namespace weir::registry::detail
