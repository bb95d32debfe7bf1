// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/binding.hpp>
#include <weir/config/detail/follower.hpp>
#include <weir/config/detail/refresh_core.hpp>
#include <weir/config/document.hpp>
#include <weir/config/source.hpp>
#include <weir/config/version_record.hpp>
#include <weir/core/random.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace weir::config {

struct refresh_options {
    document_options document = {};
    follow_options follow = {};
    std::size_t keep = 20;  ///< records in the audit list, each with its document, to go back to; at least 2
};

/// Keeps policies as a source says, without a restart:
///
///   weir::config::binding bound;
///   bound.bind("limits.checkout", bucket, {.rate = weir::per_second(100)});
///   weir::config::refresh refresh(executor, weir::config::file("/etc/shop/limits.json"), std::move(bound));
///
/// Each new version of the document is read, checked whole and applied whole, or refused whole with every reason, and
/// then the version before stays in force (see binding.hpp). A source that cannot be reached, or has no document, or
/// has one that is no document, changes nothing. Calls never wait for any of this.
///
/// Threads:   everything, from any thread. Documents are applied on a strand of `executor`, one after another, and
///            there the listeners are called, in order, after the policies have changed and with no lock held; what a
///            listener throws is dropped.
/// Lifetimes: what is bound must live until this object is destroyed, or stopped; that waits, if a document is just
///            being applied by another thread. A listener may still be running in another thread then.
/// Throws:    construction, std::invalid_argument naming the field.
/// Seen in:   examples/32_hot_refresh.cpp
class refresh {
public:
    using listener = detail::refresh_core::listener;

    template <source Source>
    refresh(asio::any_io_executor executor, Source const& from, binding bound, refresh_options o = {},
            std::vector<listener> listeners = {}, random_engine random = random_engine{thread_random()()});
    refresh(refresh&&) = default;
    refresh& operator=(refresh&&) = delete;
    ~refresh()
    {
        if (core_) stop();
    }

    /// The next record that this has not delivered, the newest if there are several, or waits for one.
    /// Signature: void(boost::system::error_code, version_record). errc::stopped: there will be none. Cancellation: all
    /// types. One at a time.
    template <class Token>
    auto async_next(Token&& token)
    {
        return core_->async_next(std::forward<Token>(token));
    }

    /// Puts an earlier version back into force. It stays until the source has another document than it has now; a
    /// process that starts anew reads what the source has, so put it right there as well.
    /// Signature: void(boost::system::error_code, version_record). errc::bad_document: the list has no such version, or
    /// it was one that was refused, or is so now; nothing has changed, and `why` says more.
    template <class Token>
    auto async_roll_back(std::uint64_t number, Token&& token)
    {
        return core_->async_roll_back(number, std::forward<Token>(token));
    }

    /// The audit list, the oldest first.
    [[nodiscard]] std::vector<version_record> history() const { return core_->history(); }

    [[nodiscard]] refresh_status status() const { return core_->status(); }

    /// Ends the conversation with the source. What is in force stays.
    void stop() { core_->stop(); }

private:
    std::shared_ptr<detail::refresh_core> core_;
};

// Bodies

template <source Source>
refresh::refresh(asio::any_io_executor executor, Source const& from, binding bound, refresh_options o,
                 std::vector<listener> listeners, random_engine random)
{
    if (o.keep < 2) weir::detail::bad_option("refresh_options.keep", "at least 2", o.keep);
    o.follow.check();
    core_ = std::make_shared<detail::refresh_core>(std::move(executor), std::move(bound), std::move(o.document), o.keep,
                                                   std::move(listeners));
    using talk = detail::conversation_for<decltype(from.open(core_->strand()))>;
    core_->start(std::make_shared<detail::follower>(core_->strand(), std::make_unique<talk>(from.open(core_->strand())),
                                                    std::move(o.follow), core_, random));
}

}  // namespace weir::config
