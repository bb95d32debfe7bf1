// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: this operation can run once only
#include <weir/call/pipeline.hpp>

#include <memory>
#include <string>

struct upload {
    std::unique_ptr<std::string> body;
    std::string operator()(weir::attempt const&) && { return *std::move(body); }
};

#ifdef WEIR_CORRECT
auto p = weir::pipeline();
#else
auto p = weir::pipeline(weir::retry());
#endif
auto r = p.call(upload());
