// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/scenario.hpp"

#include <weir/core/detail/thread_bias.hpp>

namespace never_over {
namespace {

/// A number that everybody counts up: by load and store while alone, else by one operation.
struct counted {
    weir::detail::thread_bias bias;
    weir::atomic<unsigned> number{0};
    unsigned added = 0;

    void add()
    {
        ++added;
        {
            weir::detail::thread_bias::section const here{bias};
            if (here.alone()) {
                number.store(number.load() + 1);
                return;
            }
        }
        bias.settle();
        number.fetch_add(1);
    }
    std::string end() const { return number.load() == added ? "" : "counted " + std::to_string(number.load()); }
};

/// Nobody owns it yet.
struct first_use : counted {
    void thread(unsigned) { add(), add(); }
};

/// Thread 0 does, and another takes that away while it counts on.
struct taken_away : counted {
    weir::atomic<bool> owned{false};

    void thread(unsigned i)
    {
        if (i == 0) {
            bias.settle();
            owned.store(true);
            add(), add(), add();
        } else {
            while (!owned.load()) {}
            add(), add();
        }
    }
};

scenarios const of_bias{[](std::vector<scenario>& all) {
    all.push_back(make_scenario<first_use>("thread_bias: the first use", 3, 3));
    all.push_back(make_scenario<taken_away>("thread_bias: taken away", 3, 2));
}};

}  // namespace
}  // namespace never_over
