// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace weir::registry {

/// A password or token. It cannot be printed or compared by mistake, and its memory is overwritten when it goes.
/// To use it, say so: `reveal()`.
class secret {
public:
    secret() = default;
    explicit secret(std::string text) : text_(std::move(text)) {}
    secret(secret const&) = default;
    secret(secret&& other) noexcept : text_(std::move(other.text_)) { other.wipe(); }
    secret& operator=(secret other) noexcept
    {
        text_.swap(other.text_);
        return *this;
    }
    ~secret() { wipe(); }

    [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
    [[nodiscard]] std::string const& reveal() const noexcept { return text_; }

    template <class Stream>
    friend Stream& operator<<(Stream&, secret const&) = delete;

private:
    void wipe() noexcept
    {
        text_.resize(text_.capacity());
        for (char volatile& c : text_) c = 0;  // volatile: not for the optimizer to drop
        text_.clear();
    }

    std::string text_;
};

namespace detail {

/// Takes a secret out of what a server said: some repeat what they were asked, and what they say is shown to people.
/// Shorter than four characters, it is left: it would be found in many words.
inline void hide(std::string& said, std::string_view secret)
{
    constexpr std::string_view instead = "***";
    if (secret.size() < 4) return;
    for (auto at = said.find(secret); at != said.npos; at = said.find(secret, at + instead.size()))
        said.replace(at, secret.size(), instead);
}

}  // namespace detail

}  // namespace weir::registry
