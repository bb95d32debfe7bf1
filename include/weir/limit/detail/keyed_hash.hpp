// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/limit/detail/keyed_buckets.hpp>
#include <weir/limit/detail/keyed_flow.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <string_view>
#include <type_traits>

namespace weir::detail {

/// Keys by their text, or by the bytes of their value.
template <class Key>
concept text_key = std::convertible_to<Key const&, std::string_view>;
template <class Key>
concept plain_key =
    !text_key<Key> && std::is_trivially_copyable_v<Key> && std::has_unique_object_representations_v<Key>;

/// Turns keys into 64-bit numbers that nobody can predict who does not know the seed: keys come from outside, and
/// whoever could fill one bucket at will could push his own debt out of the table.
///
/// Up to 8 bytes are their own identity, so that no two keys are ever taken for one. Of more, and of text, the identity
/// is SipHash-1-3 (Aumasson and Bernstein, SipHash: a fast short-input PRF, 2012; one and three rounds, as in the hash
/// tables of Rust, Ruby and Python): two of n keys share a limiter with a chance of n^2 / 2^65, 3e-8 for a million.
class keyed_hash {
public:
    explicit keyed_hash(std::optional<std::uint64_t> seed)
    {
        std::random_device device;
        for (auto& k : key_) k = seed ? next(*seed) : std::uint64_t{device()} << 32 | device();
    }

    template <class Key>
    [[nodiscard]] keyed_id operator()(Key const& key) const noexcept
    {
        if constexpr (text_key<Key>) {
            auto const text = static_cast<std::string_view>(key);
            return both(sip(text.data(), text.size()));
        } else if constexpr (sizeof(Key) <= 8) {
            std::uint64_t value = 0;
            std::memcpy(&value, &key, sizeof key);
            return {value, mixed(value)};
        } else {
            return both(sip(reinterpret_cast<char const*>(&key), sizeof key));
        }
    }

private:
    static keyed_id both(std::uint64_t hash) noexcept { return {hash, hash}; }

    /// The high half of a product depends on all bits below, the low half on none above: their sum on all.
    static std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept
    {
        auto const product = uint128{a} * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    }
    [[nodiscard]] std::uint64_t mixed(std::uint64_t x) const noexcept
    {
        return fold(fold(x ^ key_[0], key_[1] | 1) ^ key_[1], 0x9e3779b97f4a7c15u);
    }

    /// splitmix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014).
    static std::uint64_t next(std::uint64_t& state) noexcept
    {
        auto z = state += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    [[nodiscard]] std::uint64_t sip(char const* bytes, std::size_t size) const noexcept
    {
        std::uint64_t v0 = key_[0] ^ 0x736f6d6570736575u, v1 = key_[1] ^ 0x646f72616e646f6du;
        std::uint64_t v2 = key_[0] ^ 0x6c7967656e657261u, v3 = key_[1] ^ 0x7465646279746573u;
        auto const round = [&] {
            v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
            v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
            v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
            v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
        };
        auto const eat = [&](std::uint64_t m) {
            v3 ^= m;
            round();
            v0 ^= m;
        };
        auto const* const end = bytes + size / 8 * 8;
        for (; bytes != end; bytes += 8) {
            std::uint64_t m = 0;
            std::memcpy(&m, bytes, 8);
            eat(m);
        }
        std::uint64_t last = 0;
        if (size % 8 != 0) std::memcpy(&last, bytes, size % 8);  // an empty key may be a null pointer
        eat(last | std::uint64_t{size} << 56);
        v2 ^= 0xff;
        round(), round(), round();
        return v0 ^ v1 ^ v2 ^ v3;
    }

    std::array<std::uint64_t, 2> key_{};
};

}  // namespace weir::detail
