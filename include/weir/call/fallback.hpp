// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/judge.hpp>
#include <weir/core/result.hpp>

#include <concepts>
#include <exception>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace weir {

/// Which errors a fallback answers for. None of these takes a cancelled call: its caller has gone.
struct on_any_error {
    [[nodiscard]] bool operator()(error const& e) const noexcept { return e.code != std::errc::operation_canceled; }
};
/// What weir itself refused: the service behind was not asked.
struct on_refusal {
    [[nodiscard]] bool operator()(error const& e) const noexcept { return e.code == condition::rejected; }
};
/// What the service behind, or the way to it, did not manage.
struct on_failure {
    [[nodiscard]] bool operator()(error const& e) const noexcept { return on_any_error{}(e) && !on_refusal{}(e); }
};

/// One failure: its error, and what was thrown if something was (errc::operation_threw unless that carried a code). A
/// value that was judged a failure is errc::answer_failed.
struct failure_cause {
    weir::error error;
    std::exception_ptr thrown = nullptr;
};

/// What happened around a fallback. `original` is set when it was asked, `own` when it failed as well.
struct fallback_report {
    std::optional<failure_cause> original = std::nullopt;
    std::optional<failure_cause> own = std::nullopt;

    /// The value is the fallback's.
    [[nodiscard]] bool answered() const noexcept { return original && !own; }
};

/// A result<T> that knows whether a fallback gave it. When both failed, it is the original one, an error or the value
/// that was judged a failure, and `report().own` the fallback's.
template <class T>
class [[nodiscard]] fallback_result : public result<T> {
public:
    fallback_result(result<T> r) : result<T>(std::move(r)) {}
    fallback_result(result<T> r, fallback_report why) : result<T>(std::move(r)), report_(std::move(why)) {}

    [[nodiscard]] bool degraded() const noexcept { return report_.answered(); }
    [[nodiscard]] fallback_report const& report() const noexcept { return report_; }

private:
    fallback_report report_;
};

namespace detail {

/// The failure in what was thrown.
[[nodiscard]] inline failure_cause cause_of(std::exception_ptr thrown)
{
    try {
        std::rethrow_exception(thrown);
    } catch (std::system_error const& e) {
        return {error(e.code()), std::move(thrown)};
    } catch (...) {
        return {error(errc::operation_threw), std::move(thrown)};
    }
}

/// Whether `first` is a failure, which then is `why.original`. If the judge cannot tell, no, and there is `why.own`.
template <class Judge, class T>
[[nodiscard]] bool blame(Judge const& judge, result<T> const& first, fallback_report& why)
{
    if (!first) {
        why.original.emplace(first.error());
    } else if constexpr (!std::is_void_v<T> && !std::same_as<Judge, no_judge>) {
        try {
            if (is_failure(judge, *first)) why.original.emplace(error(errc::answer_failed));
        } catch (...) {
            why.own = cause_of(std::current_exception());
        }
    }
    return why.original.has_value();
}

/// A function of the failure and of the value that was judged so.
template <class Instead, class T>
concept takes_judged = std::invocable<Instead const&, error const&, typename result<T>::stored const*>;

template <class R>
struct plain_result {
    using type = result<R>;
};
template <class T>
struct plain_result<result<T>> {
    using type = result<T>;
};
template <class T>
struct plain_result<fallback_result<T>> {  // of a fallback within a fallback: the outer one's report is the one kept
    using type = result<T>;
};

}  // namespace detail

/// What to answer when a call fails: a value, what a function of the failure makes of it, or another operation.
///
///   weir::fallback cached{[&](weir::error const&) { return cache.last("tea"); }};      // a value or a result
///   weir::fallback none{std::vector<item>{}, weir::on_refusal{}};                       // only if it was not sent
///   auto r = cached(guarded.call(fetch));                                               // of a result
///   auto r = cached.call([&] { return guarded.call(fetch); });                          // of a call, which may throw
///
/// A value is an answer, whatever it says, unless a classifier is named that calls it a failure, as `classify` does in
/// a pipeline. It then counts as the error errc::answer_failed:
///
///   weir::classify const judge{weir::http::classifier(verb::get)};                      // a 503 is a failure
///   auto r = cached.judged_by(judge)(guarded.call(fetch));
///
/// `instead` is a value, or called with nothing, the `error const&`, or besides it a `T const*`: the value that was
/// judged a failure, null where there was none. It gives a T, a result<T>, or throws. Its failure does not hide the
/// original one: the result has both. `when(error const&)` picks the errors it answers for; the others, and exceptions
/// that `call` does not answer for, pass untouched. What `when` or the classifier throws is the fallback's own failure.
///
/// Throws:  what moving values throws; `call` also what the operation threw, where `when` says no.
/// Threads: as `instead`, `when` and the classifier: all are called const, on the caller's thread.
/// Cost:    a branch where there is no error, and the classifier if one is named; copies `instead` where it is a value
///          and used.
/// Seen in: examples/25_fallback.cpp
template <class Instead, std::predicate<error const&> When = on_any_error, class Judge = detail::no_judge>
class fallback {
public:
    explicit fallback(Instead instead, When when = {}, Judge judge = {})
        : instead_(std::move(instead)), when_(std::move(when)), judge_(std::move(judge))
    {
    }

    /// The same fallback, asked also for values that `classifier`, or a weir::classify, calls a failure.
    template <class Classifier>
    [[nodiscard]] fallback<Instead, When, Classifier> judged_by(Classifier classifier) const&
    {
        return fallback<Instead, When, Classifier>(instead_, when_, std::move(classifier));
    }
    template <class Classifier>
    [[nodiscard]] fallback<Instead, When, Classifier> judged_by(Classifier classifier) &&
    {
        return fallback<Instead, When, Classifier>(std::move(instead_), std::move(when_), std::move(classifier));
    }

    /// The value of `first`, or what the fallback makes of its failure.
    template <class T>
    [[nodiscard]] fallback_result<T> operator()(result<T> first) const
    {
        fallback_report why;
        if (!detail::blame(judge_, first, why)) return {std::move(first), std::move(why)};
        auto second = answer<T>(why, first ? &*first : nullptr);
        if (second) return {*std::move(second), std::move(why)};
        return {std::move(first), std::move(why)};
    }

    /// The same for `op()`, which returns a value, a result or nothing, or throws.
    template <std::invocable Op>
    [[nodiscard]] auto call(Op&& op) const
    {
        using returned = std::remove_cvref_t<std::invoke_result_t<Op&&>>;
        using first_result = typename detail::plain_result<returned>::type;
        using T = typename first_result::value_type;
        fallback_report why;
        try {
            if constexpr (std::is_void_v<returned>) {
                std::forward<Op>(op)();
                return fallback_result<T>(first_result());
            } else {
                return (*this)(first_result(std::forward<Op>(op)()));
            }
        } catch (...) {
            why.original = detail::cause_of(std::current_exception());
        }
        auto const thrown = why.original->thrown;
        auto second = answer<T>(why);
        if (second) return fallback_result<T>(*std::move(second), std::move(why));
        if (!why.original) std::rethrow_exception(thrown);
        first_result original(why.original->error);
        return fallback_result<T>(std::move(original), std::move(why));
    }

    /// The same for an asynchronous operation: async_call([executor,] op, token). In weir/async/async_fallback.hpp,
    /// where `instead` may also return an asynchronous operation.
    template <class... Args>
    auto async_call(Args&&... args) const;

    /// Asks the fallback about `why.original`, and the value that was judged so. Nothing, if it does not answer for
    /// that (`why` is then empty), or fails itself (`why.own`). For drivers of your own.
    template <class T>
    [[nodiscard]] std::optional<result<T>> answer(fallback_report& why,
                                                  typename result<T>::stored const* judged = nullptr) const
    {
        try {
            if (!when_(why.original->error)) {
                why.original.reset();
                return std::nullopt;
            }
            result<T> own = instead<T>(why.original->error, judged);
            if (own) return own;
            why.own.emplace(own.error());
        } catch (...) {
            why.own = detail::cause_of(std::current_exception());
        }
        return std::nullopt;
    }

    [[nodiscard]] Instead const& instead_of() const noexcept { return instead_; }
    [[nodiscard]] When const& when() const noexcept { return when_; }
    [[nodiscard]] Judge const& judge() const noexcept { return judge_; }

private:
    template <class T, class F, class... Args>
    static result<T> made(F const& f, Args const&... args)
    {
        using returned = std::invoke_result_t<F const&, Args const&...>;
        if constexpr (std::is_void_v<T> && std::is_void_v<returned>) {
            f(args...);
            return {};
        } else {
            static_assert(std::convertible_to<returned, result<T>>,
                          "weir::fallback: the function returns what the operation does, a value or a weir::result");
            return f(args...);
        }
    }

    template <class T>
    [[nodiscard]] result<T> instead(error const& e, typename result<T>::stored const* judged) const
    {
        if constexpr (detail::takes_judged<Instead, T>) {
            return made<T>(instead_, e, judged);
        } else if constexpr (std::invocable<Instead const&, error const&>) {
            return made<T>(instead_, e);
        } else if constexpr (std::invocable<Instead const&>) {
            return made<T>(instead_);
        } else {
            static_assert(
                std::convertible_to<Instead const&, T>,
                "weir::fallback: the fallback is a value of the operation's type, or a function that takes nothing, a "
                "weir::error const&, or that and a pointer to a const value of the operation's type");
            return static_cast<T>(instead_);
        }
    }

    Instead instead_;
    When when_;
    [[no_unique_address]] Judge judge_;
};

}  // namespace weir
