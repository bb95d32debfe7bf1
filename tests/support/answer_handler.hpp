// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/message.hpp>

#include <boost/system/error_code.hpp>

#include <functional>

namespace weir::testing {

/// Who is told an answer. One type of them all, because the client is compiled for each type of handler: seconds, and
/// again with sanitizers.
using answer_handler = std::function<void(boost::system::error_code, http::response)>;

}  // namespace weir::testing
