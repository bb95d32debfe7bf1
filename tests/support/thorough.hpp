// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

namespace weir::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

/// How often to repeat what looks for rare results: `n` times, but a tenth of that under a sanitizer, which is five to
/// thirty times slower and looks at every step, not at the results.
[[nodiscard]] constexpr int thorough(int n) noexcept { return sanitized ? (n + 9) / 10 : n; }

}  // namespace weir::test
