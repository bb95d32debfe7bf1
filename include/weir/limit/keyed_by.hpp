// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/call_options.hpp>
#include <weir/core/gate.hpp>
#include <weir/core/time.hpp>

#include <type_traits>
#include <utility>

namespace weir {

/// A keyed_limiter, or keyed_breakers, of any key as a stage of a pipeline that lives for long: for each call the key
/// is found in what the call says of itself.
///
///   weir::keyed_limiter<weir::ip_key> per_client{{...}};
///   auto client = [](weir::call_facts const& of) noexcept { return weir::ip_key::parse(of.key).value_or({}); };
///   auto guarded = weir::pipeline(weir::keyed_by{per_client, client}, ...);
///   guarded.call(op, {.key = request.client});
///
/// `drain_on`, `jittered` and `dry_run` go around it, once for all keys. A limiter of text needs it only where the key is not
/// call_options::key as it stands. Who has no key shares one with all that have none: `key_of` says which.
///
/// Refuses: as the limiter.   Threads: as the limiter; `key_of` is called by several at once, and does not throw.
/// Cost:    the limiter's, and that of `key_of`.   Lifetimes: a limiter given by name outlives it.
/// Seen in: examples/44_one_pipeline_for_all.cpp
template <class Limiter, class KeyOf>
class keyed_by {
    using inner_limiter = std::remove_reference_t<Limiter>;
    static_assert(std::is_nothrow_invocable_v<KeyOf const&, call_facts const&>,
                  "weir::keyed_by: the key is found, const and noexcept, in a weir::call_facts const&");
    static_assert(
        requires(inner_limiter& l, KeyOf const& key_of, call_facts const& of, time_point now) {
            requires detail::is_admission<decltype(l.admit(key_of(of), now))>;
        }, "weir::keyed_by: the limiter takes that key, as in admit(key, now)");

public:
    using token = typename decltype(std::declval<inner_limiter&>().admit(std::declval<KeyOf const&>()(call_facts{}),
                                                                         time_point{}))::token_type;

    explicit keyed_by(Limiter&& limiter, KeyOf key_of)
        : limiter_(std::forward<Limiter>(limiter)), key_of_(std::move(key_of))
    {
    }

    admission<token> admit(call_facts const& of, time_point now) noexcept { return limiter_.admit(key_of_(of), now); }

    /// The key of that call, with all its verbs.
    [[nodiscard]] auto of(call_facts const& facts) noexcept { return limiter_.of(key_of_(facts)); }

    [[nodiscard]] inner_limiter& inner() noexcept { return limiter_; }
    [[nodiscard]] inner_limiter const& inner() const noexcept { return limiter_; }
    [[nodiscard]] decltype(auto) name() const noexcept { return limiter_.name(); }

private:
    Limiter limiter_;
    [[no_unique_address]] KeyOf key_of_;
};

template <class Limiter, class KeyOf>
keyed_by(Limiter&&, KeyOf) -> keyed_by<Limiter, KeyOf>;

}  // namespace weir
