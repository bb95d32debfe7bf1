// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/file_document.hpp>
#include <weir/registry/detail/file_source.hpp>
#include <weir/registry/file_options.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace weir::registry::detail {

/// What the conversations with one file have in common.
struct file_config {
    file_config(asio::any_io_executor const& executor, file_options const& o)
        : options(o.checked()), source(std::make_shared<file_source>(executor, options.path, options.max_bytes))
    {
    }
    file_options options;
    std::shared_ptr<file_source> source;
};

/// Distinguishes contents (FNV-1a, 64 bits, and the length): nobody attacks their own file.
[[nodiscard]] inline std::string content_revision(std::string_view text)
{
    std::uint64_t h = 14695981039346656037u;
    for (char const c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return std::to_string(text.size()) + "-" + std::to_string(h);
}

/// A watch_backend over a file. Its revision is that of the whole file.
class file_session {
public:
    file_session(asio::any_io_executor strand, std::shared_ptr<file_config const> c)
        : strand_(std::move(strand)), config_(std::move(c))
    {
    }

    void async_list(query const& q, listing_handler done) { look(q, {}, std::move(done)); }

    void async_await_change(query const& q, std::string const& revision, listing_handler done)
    {
        look(q, revision, std::move(done));
    }

private:
    struct look_op {
        std::shared_ptr<file_config const> config;
        asio::any_io_executor strand;
        query q;
        std::string from;  // empty: anything will do
        std::string stamp = {};
        std::shared_ptr<void> listening = {};
        time_point until{};
        bool begun = false, looked = false;

        template <class Self>
        void operator()(Self& self, boost::system::error_code = {})
        {
            auto const& o = config->options;
            auto& source = *config->source;
            if (!std::exchange(begun, true)) {
                self.reset_cancellation_state(asio::enable_total_cancellation());
                until = later(now(strand), o.patience);
                return asio::post(strand, std::move(self));
            }
            if (self.get_cancellation_state().cancelled() != asio::cancellation_type::none)
                return self.complete(asio::error::operation_aborted, listing());
            // In this order, so that a change in between is not missed.
            if (!from.empty()) listening = source.listen();
            auto const heard = source.bell.rings();
            auto at = source.stamp();
            if (!std::exchange(looked, true) || at != stamp || from.empty()) {
                stamp = std::move(at);
                listing all;
                if (auto const ec = read(source, all); ec || all.revision != from || now(strand) >= until)
                    return self.complete(ec, std::move(all));
            } else if (now(strand) >= until) {
                looked = false;  // what is answered is read, not remembered
                return (*this)(self);
            }
            auto const next = std::min(until, later(now(strand), o.poll));
            auto const keep = config;
            keep->source->bell.async_wait(heard, std::move(self), next);
        }

        [[nodiscard]] boost::system::error_code read(file_source const& source, listing& all) const
        {
            std::string text;
            if (auto const ec = source.read(text, all.note)) return ec;
            if (auto const ec = read_file_document(text, q, all)) return ec;
            all.revision = content_revision(text);
            return {};
        }
    };

    void look(query const& q, std::string from, listing_handler done)
    {
        asio::async_compose<listing_handler, void(boost::system::error_code, listing)>(
            look_op{config_, strand_, q, std::move(from)}, done, strand_);
    }

    asio::any_io_executor strand_;
    std::shared_ptr<file_config const> config_;
};

}  // namespace weir::registry::detail
