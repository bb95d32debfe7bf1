// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/shared/limit_store.hpp>
#include <weir/shared/redis_reply.hpp>

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir::detail {

/// hiredis' reader, with bounds: the bytes of a reply, and the elements of an array, which hiredis would allocate
/// before any of them has come. It bounds the depth itself, at seven.
class redis_reader {
public:
    explicit redis_reader(std::size_t max_bytes) : reader_(redisReaderCreate()), max_bytes_(max_bytes)
    {
        if (!reader_) throw std::bad_alloc();
        functions_ = *reader_->fn;
        functions_.createArray = capped_array;
        reader_->fn = &functions_;
    }
    redis_reader(redis_reader const&) = delete;
    redis_reader& operator=(redis_reader const&) = delete;

    /// Takes in what has come. False: this is no reply of Redis, or too large; nothing more is to be read.
    [[nodiscard]] bool feed(std::string_view bytes)
    {
        pending_ += bytes.size();
        return redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) == REDIS_OK;
    }

    /// The next whole reply; none yet; or an error, as above.
    [[nodiscard]] std::error_code next(std::optional<redis_reply>& out)
    {
        out.reset();
        void* raw = nullptr;
        if (redisReaderGetReply(reader_.get(), &raw) != REDIS_OK) return store_errc::bad_answer;
        if (raw != nullptr) {
            out.emplace(static_cast<redisReply*>(raw));
            // What is left over belongs to the next one.
            pending_ = reader_->len - reader_->pos;
            return {};
        }
        if (pending_ > max_bytes_) return store_errc::bad_answer;
        return {};
    }

private:
    static constexpr std::size_t max_elements = 1024;

    struct release {
        void operator()(redisReader* r) const noexcept { redisReaderFree(r); }
    };

    // The type of the count has changed between versions of hiredis.
    template <class>
    struct second_argument;
    template <class R, class A, class B>
    struct second_argument<R (*)(A, B)> {
        using type = B;
    };
    using create_array = decltype(redisReplyObjectFunctions::createArray);
    using count_type = second_argument<create_array>::type;

    [[nodiscard]] static create_array plain_array()
    {
        static create_array const found = [] {
            std::unique_ptr<redisReader, release> const r(redisReaderCreate());
            if (!r) throw std::bad_alloc();
            return r->fn->createArray;
        }();
        return found;
    }
    static void* capped_array(redisReadTask const* task, count_type elements)
    {
        if (static_cast<std::size_t>(elements) > max_elements) return nullptr;  // hiredis: out of memory
        return plain_array()(task, elements);
    }

    std::unique_ptr<redisReader, release> reader_;
    redisReplyObjectFunctions functions_{};
    std::size_t max_bytes_;
    std::size_t pending_ = 0;
};

}  // namespace weir::detail
