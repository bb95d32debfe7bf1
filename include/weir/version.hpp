// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

/// The one place where the version is written: CMake, the package files and pkg-config read it from here.
#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0

/// One number to compare: `#if WEIR_VERSION >= 100` asks for 0.1.0. Two digits of patch, three of minor, the rest
///                        major.
#define WEIR_VERSION (WEIR_VERSION_MAJOR * 100000 + WEIR_VERSION_MINOR * 100 + WEIR_VERSION_PATCH)
