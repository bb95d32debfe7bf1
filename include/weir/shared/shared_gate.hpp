// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/immediate_end.hpp>
#include <weir/async/detail/waiting_op.hpp>
#include <weir/core/admission.hpp>
#include <weir/core/outcome.hpp>
#include <weir/shared/detail/shared_key.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace weir {

/// A permit of a shared limit, for one send. `record`, with any outcome, says that it was sent. Destroyed or cancelled
/// before that, it goes back into the lease it came from, while that lasts.
/// Threads: one at a time. Lifetimes: the limiter outlives it.
class [[nodiscard]] shared_permit {
public:
    shared_permit(shared_permit&& other) noexcept = default;
    shared_permit& operator=(shared_permit&& other) noexcept
    {
        if (this == &other) return *this;
        cancel();
        key_ = std::move(other.key_);
        from_ = other.from_;
        return *this;
    }
    ~shared_permit() { cancel(); }

    /// It was sent.
    void record(outcome const&, time_point) noexcept { key_.reset(); }

    /// It will not be sent. True when it went back.
    bool cancel() noexcept
    {
        auto const key = std::exchange(key_, nullptr);
        return key && key->put_back(1, from_);
    }

    /// For the limiter. Without a key: nothing to give back.
    shared_permit(std::shared_ptr<detail::shared_key> key, detail::lease_lots::place from) noexcept
        : key_(std::move(key)), from_(from)
    {
    }

private:
    std::shared_ptr<detail::shared_key> key_;
    detail::lease_lots::place from_;
};

/// One key of a shared_limit, made by `shared_limit::of`; a copy is the same key. The verbs are those of shared_limit,
/// which has them for the limit as a whole, and tells about them.
/// Threads: any. Lifetimes: the limiter outlives it.
class shared_gate {
public:
    using token = shared_permit;
    using executor_type = asio::any_io_executor;

    [[nodiscard]] bool try_acquire(std::uint64_t n = 1) noexcept { return known() && try_acquire(n, key_->now()); }
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now) noexcept
    {
        detail::lease_lots::place from;
        return known() && (key_->take(n, now, from) || key_->decide(n, now).admitted);
    }

    admission<token> admit(time_point now) noexcept
    {
        if (!known()) return rejection{errc::too_many_calls, now, name_};
        detail::lease_lots::place from;
        if (key_->take(1, now, from)) return admission<token>(std::in_place, key_, from);
        auto const v = key_->decide(1, now);
        if (v.admitted) return admission<token>(std::in_place, nullptr, from);
        return rejection{v.why, v.at, name_};
    }

    template <class Token>
    auto async_acquire(std::uint64_t n, Token&& completion)
    {
        return async_acquire(n, duration::zero(), std::forward<Token>(completion));
    }
    template <class Token>
    auto async_acquire(std::uint64_t n, duration max_wait, Token&& completion);

    /// False: there were `max_keys` others, all in use; everything is refused with errc::too_many_calls.
    [[nodiscard]] bool known() const noexcept { return key_->executor() && !refused_; }
    /// Permits held here.
    [[nodiscard]] std::uint64_t held(time_point now) const noexcept { return known() ? key_->held(now) : 0; }
    [[nodiscard]] std::string_view name() const noexcept { return name_; }
    [[nodiscard]] executor_type const& get_executor() const noexcept { return key_->executor(); }

    /// For the limiter.
    shared_gate(std::shared_ptr<detail::shared_key> key, std::string_view name, bool refused = false) noexcept
        : key_(std::move(key)), name_(name), refused_(refused)
    {
    }

private:
    std::shared_ptr<detail::shared_key> key_;
    std::string_view name_;
    bool refused_;
};

// Bodies

namespace detail {

template <class Handler, class Executor>
class shared_wait final : public waiting_op<shared_wait<Handler, Executor>, Handler, Executor>, public shared_waiter {
    using base = waiting_op<shared_wait, Handler, Executor>;
    friend base;

public:
    shared_wait(Handler&& handler, Executor const& executor) : base(std::move(handler), executor) {}

    static void start(Handler&& handler, Executor const& executor, std::shared_ptr<shared_key> const& key,
                      std::uint64_t n, duration max_wait)
    {
        auto self = base::make(std::move(handler), executor);
        self->listen([op = self.get(), key] {
            if (key->leave(*op)) op->post({asio::error::operation_aborted});
        });
        auto const v = key->enqueue(*self, n, max_wait, key->now());
        auto* const op = self.release();
        if (v) op->ended(v->admitted ? std::error_code() : make_error_code(v->why));
    }

private:
    void ended(std::error_code ec) noexcept override
    {
        this->post({ec ? boost::system::error_code(ec) : boost::system::error_code()});
    }
    void abandoned() noexcept override { this->destroy(); }
};

}  // namespace detail

template <class Token>
auto shared_gate::async_acquire(std::uint64_t n, duration max_wait, Token&& completion)
{
    return asio::async_initiate<Token, void(boost::system::error_code)>(
        [key = key_, refused = refused_](auto handler, std::uint64_t permits, duration wait) {
            auto const executor = key->executor();
            if (refused) return detail::post_refusal(executor, std::move(handler), errc::too_many_calls);
            detail::lease_lots::place from;
            if (!key->somebody_waits() && key->take(permits, key->now(), from))
                return detail::post_success(executor, std::move(handler));
            using op = detail::shared_wait<decltype(handler), asio::any_io_executor>;
            op::start(std::move(handler), executor, key, permits, wait);
        },
        completion, n, max_wait);
}

}  // namespace weir
