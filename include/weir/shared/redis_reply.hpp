// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

/// A reply of Redis: a value, or an array of them. Owns nothing: valid as long as the redis_reply it came from.
class redis_value {
public:
    redis_value() = default;
    explicit redis_value(redisReply const* r) noexcept : reply_(r) {}

    [[nodiscard]] bool is_nil() const noexcept { return is(REDIS_REPLY_NIL); }
    [[nodiscard]] bool is_error() const noexcept { return is(REDIS_REPLY_ERROR); }
    [[nodiscard]] bool is_integer() const noexcept { return is(REDIS_REPLY_INTEGER); }
    [[nodiscard]] bool is_array() const noexcept { return is(REDIS_REPLY_ARRAY); }
    [[nodiscard]] bool is_text() const noexcept { return is(REDIS_REPLY_STRING) || is(REDIS_REPLY_STATUS); }

    [[nodiscard]] long long integer() const noexcept { return is_integer() ? reply_->integer : 0; }
    /// Of a text, or of an error.
    [[nodiscard]] std::string_view text() const noexcept
    {
        return is_text() || is_error() ? std::string_view(reply_->str, reply_->len) : std::string_view();
    }
    [[nodiscard]] std::size_t size() const noexcept { return is_array() ? reply_->elements : 0; }
    /// Precondition: i < size().
    [[nodiscard]] redis_value operator[](std::size_t i) const noexcept { return redis_value(reply_->element[i]); }

private:
    [[nodiscard]] bool is(int type) const noexcept { return reply_ != nullptr && reply_->type == type; }

    redisReply const* reply_ = nullptr;
};

/// A reply of Redis, owned. Move-only.
class redis_reply {
public:
    redis_reply() = default;
    explicit redis_reply(redisReply* r) noexcept : reply_(r) {}

    [[nodiscard]] redis_value value() const noexcept { return redis_value(reply_.get()); }

private:
    struct release {
        void operator()(redisReply* r) const noexcept { freeReplyObject(r); }
    };
    std::unique_ptr<redisReply, release> reply_;
};

/// A command on the wire, by hiredis' formatter. Throws: std::bad_alloc.
[[nodiscard]] inline std::string redis_command(std::vector<std::string_view> const& words)
{
    std::vector<char const*> at;
    std::vector<std::size_t> length;
    for (auto const w : words) {
        at.push_back(w.data());
        length.push_back(w.size());
    }
    char* text = nullptr;
    auto const size = redisFormatCommandArgv(&text, static_cast<int>(words.size()), at.data(), length.data());
    if (size < 0) throw std::bad_alloc();
    std::unique_ptr<char, void (*)(char*)> const owner(text, redisFreeCommand);
    return {text, static_cast<std::size_t>(size)};
}

}  // namespace weir
