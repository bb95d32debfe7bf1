// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/core/outcome.hpp>

#include <concepts>
#include <exception>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace weir {

/// What an ending means when nobody says otherwise. A value: success. A cancelled operation, or one that a weir
/// pipeline further down refused: ignored, for it says nothing of the peer. An error code: a failure, worth another try
/// if it is condition::transient. An exception: a transient failure, except std::logic_error and std::bad_alloc, which
/// another try would only repeat.
struct default_classifier {
    [[nodiscard]] outcome operator()(std::error_code ec) const noexcept
    {
        if (!ec) return outcome::success();
        if (ec == std::errc::operation_canceled || ec == condition::rejected) return outcome::ignored();
        return ec == condition::transient ? outcome::failure() : outcome::permanent_failure();
    }

    [[nodiscard]] outcome operator()(std::exception_ptr thrown) const noexcept
    {
        try {
            std::rethrow_exception(std::move(thrown));
        } catch (std::system_error const& e) {
            return (*this)(e.code());
        } catch (std::logic_error const&) {
            return outcome::permanent_failure();
        } catch (std::bad_alloc const&) {
            return outcome::permanent_failure();
        } catch (...) {
            return outcome::failure();
        }
    }
};

/// The rule of a pipeline that says what an attempt's ending means. `f` takes any of these, one overload each or a
/// generic one, and answers an outcome; what it does not take falls to the default:
///
///   (T const&...)         the operation's values
///   (std::error_code)     its error
///   (std::exception_ptr)  what it threw
///
///   weir::classify([](reply const& r) { return r.busy ? weir::outcome::failure() : weir::outcome::success(); })
///
/// Threads: `f` is called from every thread that uses the pipeline, const.   Seen in: examples/04_pipeline.cpp
template <class F>
class classify {
public:
    explicit classify(F f) : f_(std::move(f)) {}

    template <class... Ending>
    [[nodiscard]] outcome operator()(Ending const&... ending) const
    {
        if constexpr (std::invocable<F const&, Ending const&...>) {
            static_assert(std::same_as<std::invoke_result_t<F const&, Ending const&...>, outcome>,
                          "weir::classify: the function must return weir::outcome");
            return f_(ending...);
        } else if constexpr (std::invocable<default_classifier, Ending const&...>) {
            return default_classifier{}(ending...);
        } else {
            return outcome::success();
        }
    }

private:
    F f_;
};

}  // namespace weir
