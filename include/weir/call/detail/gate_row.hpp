// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/erased_stage.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace weir::detail {

/// Room for tokens of unknown types: in place if they are small, else on the heap.
template <std::size_t Bytes>
class token_room {
public:
    token_room() noexcept {}
    token_room(std::size_t size, std::size_t alignment) : alignment_(alignment)
    {
        if (size > Bytes || alignment > alignof(std::max_align_t))
            far_ = ::operator new(size, std::align_val_t(alignment));
    }
    token_room(token_room const&) = delete;
    ~token_room()
    {
        if (far_) ::operator delete(far_, std::align_val_t(alignment_));
    }

    /// The tokens of `other`, which `move_each(from, to)` carries over unless the heap does.
    template <class MoveEach>
    void take(token_room& other, MoveEach move_each) noexcept
    {
        alignment_ = other.alignment_;
        far_ = std::exchange(other.far_, nullptr);
        if (!far_) move_each(other.near_, near_);
    }

    [[nodiscard]] std::byte* at(std::size_t offset) noexcept
    {
        return (far_ ? static_cast<std::byte*>(far_) : near_) + offset;
    }

private:
    void* far_ = nullptr;
    std::size_t alignment_ = 1;
    alignas(std::max_align_t) std::byte near_[Bytes];
};

/// Gates one after the other, as one stage. What was taken before one of them refuses, or throws, is given back.
class gate_row {
public:
    static constexpr role stands_for = role::gate;
    class answer;

    void add(erased_gate& g)
    {
        auto const a = g.tokens.alignment;
        auto const offset = (size_ + a - 1) / a * a;
        gates_.push_back({&g, offset});
        size_ = offset + g.tokens.size;
        alignment_ = std::max(alignment_, a);
    }

    [[nodiscard]] answer admit(asking_call const& of, time_point now);

private:
    struct place {
        erased_gate* gate;
        std::size_t offset;
    };
    std::vector<place> gates_;
    std::size_t size_ = 0, alignment_ = 1;
};

/// As an admission, and its own token.
class gate_row::answer {
public:
    using token_type = answer;

    answer() noexcept = default;
    answer(rejection r) noexcept : refusal_(r) {}
    answer(gate_row const& row, asking_call const& of, time_point now)
        : row_(&row), says_{now}, room_(row.size_, row.alignment_)
    {
        try {
            for (auto const& [gate, offset] : row.gates_) {
                if (!gate->admit(room_.at(offset), of, now, says_, refusal_)) {
                    settle(nullptr, now);
                    return;
                }
                ++held_;
            }
        } catch (...) {
            settle(nullptr, now);
            throw;
        }
    }
    answer(answer&& other) noexcept
        : row_(std::exchange(other.row_, nullptr)),
          held_(std::exchange(other.held_, 0)),
          says_(other.says_),
          refusal_(other.refusal_)
    {
        room_.take(other.room_, [this](std::byte* from, std::byte* to) {
            for (std::size_t i = 0; i < held_; ++i) {
                auto const& [gate, offset] = row_->gates_[i];
                gate->tokens.move(from + offset, to + offset);
            }
        });
    }
    ~answer() { settle(nullptr, {}); }

    [[nodiscard]] explicit operator bool() const noexcept { return row_ != nullptr; }
    [[nodiscard]] rejection const& refused() const noexcept { return refusal_; }
    [[nodiscard]] answer* operator->() noexcept { return this; }

    [[nodiscard]] time_point start_at() const noexcept { return says_.start_at; }
    [[nodiscard]] std::error_code fault() const noexcept { return says_.fault; }
    void record(outcome const& o, time_point now) noexcept { settle(&o, now); }

private:
    void settle(outcome const* o, time_point now) noexcept
    {
        while (held_ > 0) {
            auto const& [gate, offset] = row_->gates_[--held_];
            if (o) gate->tokens.record(room_.at(offset), *o, now);
            gate->tokens.destroy(room_.at(offset));
        }
        row_ = nullptr;
    }

    gate_row const* row_ = nullptr;  // null: refused, or settled
    std::size_t held_ = 0;
    token_says says_{};
    rejection refusal_;
    token_room<128> room_;
};

inline gate_row::answer gate_row::admit(asking_call const& of, time_point now) { return answer(*this, of, now); }

/// The place of a balancer. Without one it lets everything pass.
class optional_balancer {
public:
    static constexpr role stands_for = role::balancer;
    class answer;

    erased_balancer* balancer = nullptr;

    [[nodiscard]] answer pick(time_point now, random_engine& random, endpoint const* avoid);
};

class optional_balancer::answer {
public:
    using token_type = answer;

    answer() noexcept = default;
    answer(rejection r) noexcept : refusal_(r) {}
    answer(erased_balancer* b, time_point now, random_engine& random, weir::endpoint const* avoid)
        : room_(b ? b->tokens.size : 0, b ? b->tokens.alignment : 1)
    {
        if (b) target_ = b->pick(room_.at(0), now, random, avoid, refusal_);
        if (target_) balancer_ = b;
        passed_ = !b || target_;
    }
    answer(answer&& other) noexcept
        : balancer_(std::exchange(other.balancer_, nullptr)),
          target_(other.target_),
          passed_(std::exchange(other.passed_, false)),
          refusal_(other.refusal_)
    {
        room_.take(other.room_, [this](std::byte* from, std::byte* to) {
            if (balancer_) balancer_->tokens.move(from, to);
        });
    }
    ~answer()
    {
        if (balancer_) balancer_->tokens.destroy(room_.at(0));
    }

    [[nodiscard]] explicit operator bool() const noexcept { return passed_; }
    [[nodiscard]] rejection const& refused() const noexcept { return refusal_; }
    [[nodiscard]] answer* operator->() noexcept { return this; }
    [[nodiscard]] answer const* operator->() const noexcept { return this; }

    [[nodiscard]] weir::endpoint const* target_or_null() const noexcept { return target_; }
    [[nodiscard]] weir::endpoint const& endpoint() const noexcept
    {
        static weir::endpoint const none{};
        return target_ ? *target_ : none;
    }
    /// The lease stays, for the next attempt is to avoid its endpoint.
    void record(outcome const& o, time_point now) noexcept
    {
        if (balancer_) balancer_->tokens.record(room_.at(0), o, now);
    }

private:
    erased_balancer* balancer_ = nullptr;  // of a lease in the room
    weir::endpoint const* target_ = nullptr;
    bool passed_ = false;
    rejection refusal_;
    token_room<64> room_;
};

inline optional_balancer::answer optional_balancer::pick(time_point now, random_engine& random, endpoint const* avoid)
{
    return answer(balancer, now, random, avoid);
}

}  // namespace weir::detail
