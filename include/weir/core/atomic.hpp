// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

/// The atomics and locks of every policy: the standard's.
///
/// A test that explores interleavings builds the same headers with its own, by naming a header in WEIR_ATOMIC_HEADER
/// that defines weir::atomic<T> and weir::mutex. It must be the same in every translation unit of a program.
#ifdef WEIR_ATOMIC_HEADER

#include WEIR_ATOMIC_HEADER

#else

#include <atomic>
#include <mutex>

namespace weir {

template <class T>
using atomic = std::atomic<T>;
using mutex = std::mutex;

}  // namespace weir

#endif
