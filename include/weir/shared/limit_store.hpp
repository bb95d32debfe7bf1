// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/core/time.hpp>

#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <system_error>
#include <type_traits>

namespace weir {

/// Microseconds with a fraction: the unit in which stores count.
using micros = std::chrono::duration<double, std::micro>;

/// What one call asks of the store of a shared limit.
struct permit_request {
    std::string key = {};    ///< of the limit, in the store
    micros interval{};       ///< T: one permit comes back in this time
    micros tolerance{};      ///< tau: the time in which the whole burst comes back, burst * T
    std::uint64_t want = 1;  ///< permits asked for; at least `least`
    std::uint64_t least = 1;
    double share = 1;  ///< the largest part of what is free that may be given beyond `least`; above 0, up to 1
    duration hold{};   ///< how long they may be held until they are used or given back
};

struct permit_grant {
    std::uint64_t permits = 0;  ///< none, or at least `least`
    duration retry_after{};     ///< none granted: until `least` would be
    std::uint64_t stamp = 0;    ///< the store's own mark of the moment; goes back with what is left over
};

/// Permits of one grant that nobody used.
struct permit_return {
    std::string key = {};
    micros interval{};
    std::uint64_t permits = 0;
    std::uint64_t stamp = 0;
};

/// How a store failed.
enum class store_errc {
    unavailable = 1,  ///< it could not be asked, or will not answer for now
    refused,          ///< it understood and said no: password, rights, a key that holds something else
    bad_answer,       ///< what came is not what its protocol says
};

namespace detail {

class store_category final : public std::error_category {
public:
    [[nodiscard]] char const* name() const noexcept override { return "weir.store"; }

    [[nodiscard]] std::string message(int value) const override
    {
        switch (static_cast<store_errc>(value)) {
            case store_errc::unavailable: return "the store of a shared limit is not available";
            case store_errc::refused: return "the store of a shared limit refused";
            case store_errc::bad_answer: return "the store of a shared limit gave an answer that cannot be understood";
        }
        return "unknown error of a store";
    }

    [[nodiscard]] bool equivalent(int value, std::error_condition const& c) const noexcept override
    {
        return c == std::error_condition(value, *this) ||
               (c == condition::transient && static_cast<store_errc>(value) == store_errc::unavailable);
    }
};

inline store_category const the_store_category;

}  // namespace detail

[[nodiscard]] inline std::error_code make_error_code(store_errc e) noexcept
{
    return {static_cast<int>(e), detail::the_store_category};
}

namespace detail {

struct example_of_grant_handler {
    void operator()(boost::system::error_code, permit_grant) const {}
};
struct example_of_return_handler {
    void operator()(boost::system::error_code) const {}
};

}  // namespace detail

/// Where a limit is kept that many processes share:
///
///   void async_acquire(permit_request const&, handler)    // handler(error_code, permit_grant)
///   void async_give_back(permit_return const&, handler)   // handler(error_code)
///
/// It keeps a generic cell rate per key on one clock of its own: permits granted, less those given back,
/// <= burst + t / T in every window t. `detail/shared_gcra.hpp` has the arithmetic, redis_store the same as a script.
///
/// Threads:  both from any thread. The handler is called once, never inside the initiating function, on its associated
///           executor.
/// Ends:     every call ends, by a time limit of the store's own: the limiter waits no longer than its caller does, but
///           it asks no more while too many of its questions are open.
template <class S>
concept limit_store = requires(S& s, permit_request const& want, permit_return const& left) {
    s.async_acquire(want, detail::example_of_grant_handler{});
    s.async_give_back(left, detail::example_of_return_handler{});
};

}  // namespace weir

template <>
struct std::is_error_code_enum<weir::store_errc> : std::true_type {};
