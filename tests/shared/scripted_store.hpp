// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/random.hpp>
#include <weir/shared/detail/shared_gcra.hpp>
#include <weir/shared/limit_store.hpp>
#include <weir/testing/virtual_time.hpp>

#include <boost/asio/append.hpp>
#include <boost/asio/dispatch.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

/// A store in virtual time that takes time to answer, freezes, fails, and gives answers of the test's own. A question
/// travels half of the time, is decided, and its answer travels the other half; while frozen, what has arrived waits.
class scripted_store {
public:
    explicit scripted_store(weir::testing::virtual_time& world, std::uint64_t seed = 1)
        : world_(world), timer_(world.get_executor()), random_(seed)
    {
    }

    weir::duration round_trip{};  ///< half of it up to one and a half
    bool spread = false;
    std::optional<std::error_code> failing = {};
    std::function<std::optional<weir::permit_grant>(weir::permit_request const&)> answer = {};  ///< instead of its own

    std::vector<weir::permit_request> questions = {};
    std::vector<weir::permit_return> returns = {};
    std::vector<weir::time_point> asked_at = {};

    void freeze() { frozen_ = true; }
    void thaw()
    {
        frozen_ = false;
        auto held = std::move(held_);
        held_.clear();
        for (auto& f : held) f();
    }
    /// What is frozen is lost with its connection.
    void drop()
    {
        auto held = std::move(held_);
        held_.clear();
        lost_ = true;
        for (auto& f : held) f();
        lost_ = false;
    }

    template <class Handler>
    void async_acquire(weir::permit_request const& r, Handler&& handler)
    {
        questions.push_back(r);
        asked_at.push_back(world_.now());
        auto h = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
        travel([this, r, h] {
            weir::permit_grant g;
            boost::system::error_code ec;
            if (lost_)
                ec = std::error_code(weir::store_errc::unavailable);
            else if (failing)
                ec = *failing;
            else if (auto const own = answer ? answer(r) : std::nullopt)
                g = *own;
            else
                g = words_[r.key].acquire(r, now());
            wait([h, ec, g] { boost::asio::dispatch(boost::asio::append(std::move(*h), ec, g)); });
        });
    }

    template <class Handler>
    void async_give_back(weir::permit_return const& r, Handler&& handler)
    {
        returns.push_back(r);
        auto h = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
        travel([this, r, h] {
            if (!lost_ && !failing)
                if (auto const found = words_.find(r.key); found != words_.end()) found->second.give_back(r, now());
            wait([h] { boost::asio::dispatch(boost::asio::append(std::move(*h), boost::system::error_code())); });
        });
    }

private:
    using step = std::function<void()>;

    [[nodiscard]] double now() const
    {
        return static_cast<double>(world_.now().time_since_epoch() / std::chrono::microseconds(1));
    }

    void travel(step arrived)
    {
        wait([this, arrived = std::move(arrived)] {
            if (frozen_)
                held_.push_back(arrived);
            else
                arrived();
        });
    }

    void wait(step then)
    {
        auto const half = static_cast<double>(round_trip.count()) / 2;
        auto const took = half * (spread ? 0.5 + weir::uniform_unit(random_) : 1);
        timer_.async_wait_for(weir::duration(static_cast<weir::duration::rep>(took)),
                              [then = std::move(then)](boost::system::error_code ec) {
                                  if (!ec) then();
                              });
    }

    weir::testing::virtual_time& world_;
    weir::timer timer_;
    weir::random_engine random_;
    std::map<std::string, weir::detail::shared_gcra> words_;
    std::deque<step> held_;
    bool frozen_ = false, lost_ = false;
};
