// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/attempt_result.hpp>
#include <weir/async/detail/waiting_op.hpp>
#include <weir/core/errc.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/associator.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace weir::detail {

/// How a shared operation ended; read by all who waited for it.
template <class Value>
struct flight_ending {
    boost::system::error_code code;
    std::exception_ptr thrown;
    std::optional<Value> value;
};

/// Gives a caller's handler its own copy of the ending, in the shape that its operation would have had.
template <class Handler, class Shape, class Value>
struct flight_listener {
    Handler handler;

    void operator()(boost::system::error_code ec, std::shared_ptr<flight_ending<Value> const> const& e)
    {
        using values = typename Shape::values;
        if (e && e->value) {
            std::apply(std::move(handler), values(std::tuple_element_t<0, values>(), *e->value));
        } else if (e && e->thrown) {
            std::apply(std::move(handler), Shape::thrown(e->thrown));
        } else {
            std::apply(std::move(handler), Shape::error(e ? e->code : ec));
        }
    }
};

/// The operations in flight and who waits for them. A caller's place, a `waiter`, belongs to the one who takes it off
/// its flight's list, under the lock.
template <class Key, class Value, class Hash, class Equal>
class flights : public std::enable_shared_from_this<flights<Key, Value, Hash, Equal>> {
public:
    using ending = std::shared_ptr<flight_ending<Value> const>;
    using executor = asio::any_io_executor;
    struct flight;

    class waiter : public boost::intrusive::list_base_hook<> {
    public:
        virtual void landed(boost::system::error_code ec, ending e) noexcept = 0;

    protected:
        ~waiter() = default;

    private:
        friend flights;
        flight* joined_ = nullptr;
    };
    using waiters = boost::intrusive::list<waiter>;

    struct flight {
        flight(std::size_t h, Key&& k, executor const& ex) : hash(h), key(std::move(k)), strand(asio::make_strand(ex))
        {
        }
        virtual ~flight() = default;

        std::size_t const hash;
        Key const key;
        executor const strand;           // everything of the operation
        asio::cancellation_signal stop;  // on the strand
        bool ended = false;              // on the strand
        waiters callers;                 // under the lock
        bool listed = true;              // under the lock: may be joined
    };

    flights(executor ex, std::size_t most, Hash hash, Equal equal)
        : executor_(std::move(ex)), most_(most), hash_(std::move(hash)), equal_(std::move(equal))
    {
    }

    /// `w` waits for the flight of `key`, which `op` begins if there is none.
    template <class Shape, class Op>
    void join(Key key, waiter& w, Op&& op)
    {
        auto const hash = hash_(key);
        std::shared_ptr<flight_of<Op>> made;
        for (;;) {
            {
                std::scoped_lock const lock(mutex_);
                if (auto const at = look(hash, made ? made->key : key); at != table_.end())
                    return enter(*at->second, w);
                if (running_ >= most_) break;
                if (made) {
                    table_.emplace(hash, made);
                    ++running_;
                    enter(*made, w);
                }
            }
            // The strand is a place of the flight's own, so nothing of it runs in here.
            if (made) return asio::post(made->strand, departure<Shape, Op>{{this->shared_from_this(), made}});
            made = std::make_shared<flight_of<Op>>(hash, std::move(key), executor_, std::move(op));
        }
        w.landed(make_error_code(errc::too_many_calls), nullptr);
    }

    /// The caller has gone. With the last one the operation has lost its purpose.
    void leave(waiter& w)
    {
        std::shared_ptr<flight> unwanted;
        {
            std::scoped_lock const lock(mutex_);
            auto* const f = std::exchange(w.joined_, nullptr);
            if (!f) return;
            f->callers.erase(f->callers.iterator_to(w));
            if (f->callers.empty()) unwanted = delist(*f);
        }
        w.landed(asio::error::operation_aborted, nullptr);
        if (unwanted) cancel(std::move(unwanted));
    }

    void shutdown()
    {
        std::unordered_multimap<std::size_t, std::shared_ptr<flight>> all;
        waiters stranded;
        {
            std::scoped_lock const lock(mutex_);
            all.swap(table_);
            for (auto& [hash, f] : all) {
                f->listed = false;
                take_callers(*f, stranded);
            }
        }
        land(stranded, make_error_code(errc::stopped), nullptr);
        for (auto& [hash, f] : all) cancel(std::move(f));
    }

    [[nodiscard]] std::size_t running() const
    {
        std::scoped_lock const lock(mutex_);
        return running_;
    }

private:
    template <class Op>
    struct flight_of final : flight {
        flight_of(std::size_t h, Key&& k, executor const& ex, Op&& o) : flight(h, std::move(k), ex), op{std::move(o)} {}
        without_attempt<Op> op;  // here, for a coroutine may live in its captures
    };

    /// Ends the flight exactly once: with how its operation ended, or, if its context went down, all the same.
    struct ticket {
        ticket(std::shared_ptr<flights> c, std::shared_ptr<flight> f) : core(std::move(c)), of(std::move(f)) {}
        ticket(ticket&&) noexcept = default;
        ~ticket()
        {
            if (of) core->end(*of, make_error_code(errc::stopped), nullptr);
        }
        void end(ending e)
        {
            auto const f = std::move(of);
            f->ended = true;
            core->end(*f, {}, std::move(e));
        }
        std::shared_ptr<flights> core;
        std::shared_ptr<flight> of;
    };

    struct arrival {
        using executor_type = executor;
        using cancellation_slot_type = asio::cancellation_slot;
        ticket own;

        [[nodiscard]] executor_type get_executor() const noexcept { return own.of->strand; }
        [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return own.of->stop.slot(); }

        template <class First, class... V>
        void operator()(First first, V&&... value)
        {
            auto e = std::make_shared<flight_ending<Value>>();
            if constexpr (std::is_same_v<First, std::exception_ptr>)
                e->thrown = first;
            else
                e->code = first;
            if (!first) e->value.emplace(std::forward<V>(value)...);
            own.end(std::move(e));
        }
    };

    template <class Shape, class Op>
    struct departure {
        ticket own;

        void operator()()
        {
            auto& f = static_cast<flight_of<Op>&>(*own.of);
            if (!own.core->wanted(f)) return;
            arrival then{std::move(own)};
            try {
                Shape::initiate(f.op, attempt{}, f.strand, std::move(then));
            } catch (...) {
                if (!then.own.of) return;  // whoever took it has ended it
                auto e = std::make_shared<flight_ending<Value>>();
                e->thrown = std::current_exception();
                then.own.end(std::move(e));
            }
        }
    };

    void end(flight& f, boost::system::error_code ec, ending e)
    {
        std::shared_ptr<flight> out;
        waiters callers;
        {
            std::scoped_lock const lock(mutex_);
            --running_;
            if (f.listed) out = delist(f);
            take_callers(f, callers);
        }
        land(callers, ec, e);
    }

    [[nodiscard]] bool wanted(flight const& f) const
    {
        std::scoped_lock const lock(mutex_);
        return f.listed;
    }

    static void cancel(std::shared_ptr<flight> f)
    {
        auto const& strand = f->strand;
        asio::post(strand, [f = std::move(f)] {
            if (!f->ended) f->stop.emit(asio::cancellation_type::terminal);
        });
    }

    static void land(waiters& all, boost::system::error_code ec, ending const& e)
    {
        while (!all.empty()) {
            auto& w = all.front();
            all.pop_front();
            w.landed(ec, e);
        }
    }

    // Below: under the lock.

    [[nodiscard]] auto look(std::size_t hash, Key const& key) const
    {
        auto [at, last] = table_.equal_range(hash);
        while (at != last && !equal_(at->second->key, key)) ++at;
        return at == last ? table_.end() : at;
    }

    static void enter(flight& f, waiter& w)
    {
        f.callers.push_back(w);
        w.joined_ = &f;
    }

    static void take_callers(flight& f, waiters& into)
    {
        for (auto& w : f.callers) w.joined_ = nullptr;
        into.splice(into.end(), f.callers);
    }

    [[nodiscard]] std::shared_ptr<flight> delist(flight& f)
    {
        f.listed = false;
        auto [at, last] = table_.equal_range(f.hash);
        while (at != last && at->second.get() != &f) ++at;
        auto out = std::move(at->second);
        table_.erase(at);
        return out;
    }

    executor const executor_;
    std::size_t const most_;
    Hash hash_;
    Equal equal_;
    mutable std::mutex mutex_;
    std::unordered_multimap<std::size_t, std::shared_ptr<flight>> table_;
    std::size_t running_ = 0;
};

/// A caller's place. It keeps the caller's own context running, and no other: that of the operation may go down first.
template <class Flights, class Handler,
          class Executor = asio::associated_executor_t<Handler, typename Flights::executor>>
class flight_waiter final
    : public Flights::waiter,
      public waiting_op<flight_waiter<Flights, Handler>, Handler, Executor, typename Flights::ending> {
public:
    flight_waiter(Handler&& h, Executor const& ex, std::shared_ptr<Flights> const& core)
        : flight_waiter::waiting_op(std::move(h), ex), core_(core)
    {
    }

    void listen_for_cancel()
    {
        this->listen([this] {
            auto const core = core_;  // `this` may be gone before it
            core->leave(*this);
        });
    }

    void landed(boost::system::error_code ec, typename Flights::ending e) noexcept override
    {
        this->post({ec, std::move(e)});
    }

private:
    std::shared_ptr<Flights> core_;
};

}  // namespace weir::detail

template <template <class, class> class Associator, class Handler, class Shape, class Value, class Default>
struct boost::asio::associator<Associator, weir::detail::flight_listener<Handler, Shape, Value>, Default>
    : Associator<Handler, Default> {
    using type = typename Associator<Handler, Default>::type;

    static auto get(weir::detail::flight_listener<Handler, Shape, Value> const& of) noexcept
    {
        return Associator<Handler, Default>::get(of.handler);
    }
    static auto get(weir::detail::flight_listener<Handler, Shape, Value> const& of, Default const& otherwise) noexcept
    {
        return Associator<Handler, Default>::get(of.handler, otherwise);
    }
};
