// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace weir::detail {

template <class T>
concept has_start = requires(T const& t) { t.start_at(); };

/// A gate around another: `Gate` is `X&` for one shared by reference, and `X` for one that has moved in. What the outer
/// gate does not change, and the inner one has, is handed on.
template <class Gate>
class gate_wrapper {
public:
    using inner_gate = std::remove_reference_t<Gate>;

    explicit gate_wrapper(Gate&& inner) : inner_(std::forward<Gate>(inner)) {}

    [[nodiscard]] inner_gate& inner() noexcept { return inner_; }
    [[nodiscard]] inner_gate const& inner() const noexcept { return inner_; }

    [[nodiscard]] bool try_acquire(std::uint64_t n = 1) noexcept
        requires requires(inner_gate& g) { bool(g.try_acquire(n)); }
    {
        return inner_.try_acquire(n);
    }
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now) noexcept
        requires requires(inner_gate& g) { bool(g.try_acquire(n, now)); }
    {
        return inner_.try_acquire(n, now);
    }
    void drain() noexcept
        requires requires(inner_gate& g) { g.drain(); }
    {
        inner_.drain();
    }
    void drain(time_point now) noexcept
        requires requires(inner_gate& g) { g.drain(now); }
    {
        inner_.drain(now);
    }
    template <class Options>
    void reconfigure(Options const& o)
        requires requires(inner_gate& g) { g.reconfigure(o); }
    {
        inner_.reconfigure(o);
    }
    template <class Options>
    void reconfigure(Options const& o, time_point now)
        requires requires(inner_gate& g) { g.reconfigure(o, now); }
    {
        inner_.reconfigure(o, now);
    }
    [[nodiscard]] std::uint64_t available() const noexcept
        requires requires(inner_gate const& g) { g.available(); }
    {
        return inner_.available();
    }
    [[nodiscard]] std::uint64_t available(time_point now) const noexcept
        requires requires(inner_gate const& g) { g.available(now); }
    {
        return inner_.available(now);
    }
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const noexcept
        requires requires(inner_gate const& g) { g.retry_at(n, now); }
    {
        return inner_.retry_at(n, now);
    }
    [[nodiscard]] duration max_wait() const noexcept
        requires requires(inner_gate const& g) { g.max_wait(); }
    {
        return inner_.max_wait();
    }
    [[nodiscard]] decltype(auto) name() const noexcept
        requires requires(inner_gate const& g) { g.name(); }
    {
        return inner_.name();
    }

private:
    Gate inner_;
};

}  // namespace weir::detail
