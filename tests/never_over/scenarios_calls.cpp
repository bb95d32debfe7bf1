// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/scenario.hpp"

#include <weir/breaker/circuit_breaker.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/retry/retry_budget.hpp>

#include <cmath>
#include <optional>

namespace never_over {
namespace {

using namespace std::chrono_literals;
using weir::exploring::explorer;

weir::time_point const start = at(1'000'000'000);

// concurrency_limit

struct in_line final : weir::concurrency_waiter {
    void granted(weir::concurrency_slot s) noexcept override
    {
        if (slot) explorer::current()->fail("granted twice");
        slot.emplace(std::move(s));
    }
    std::optional<weir::concurrency_slot> slot;
};

struct slots {
    std::uint32_t limit;
    weir::concurrency_limit limiter;
    std::uint32_t in = 0;
    std::uint32_t most = 0;

    explicit slots(std::uint32_t n) : limit(n), limiter({.limit = n, .max_queue = 4, .name = {}}) {}

    void work(weir::concurrency_slot slot)
    {
        most = std::max(most, ++in);
        (void)limiter.waiting();  // a step, so that others may come in while this one is
        --in;
        slot.record(weir::outcome::success(), start);
    }
    void come_in()
    {
        if (auto a = limiter.admit(start)) work(*std::move(a));
    }
    void queue(bool patient)
    {
        in_line w;
        if (auto answer = limiter.enqueue(w, start)) {
            if (*answer) work(**std::move(answer));
            return;
        }
        if (!patient && limiter.cancel(w)) return;
        explorer::current()->wait([&] { return w.slot.has_value(); });
        work(std::move(*w.slot));
    }
    std::string end()
    {
        if (most > limit) return std::to_string(most) + " in at once";
        if (limiter.in_flight() != 0) return "a slot was lost: " + std::to_string(limiter.in_flight());
        if (limiter.waiting() != 0) return "somebody still waits";
        // And the word is as new: a slot is free at once, and the next caller does not queue behind nobody.
        auto a = limiter.admit(start);
        return a ? std::string{} : "the queue bit stayed";
    }
};

struct slots_plain : slots {
    slots_plain() : slots(2) {}
    void thread(unsigned) { come_in(), come_in(); }
};

struct slots_queued : slots {
    slots_queued() : slots(1) {}
    void thread(unsigned i)
    {
        if (i == 0) {
            come_in();
        } else {
            queue(i == 1);
        }
    }
};

struct slots_impatient : slots {
    slots_impatient() : slots(1) {}
    void thread(unsigned i) { i == 0 ? come_in() : queue(false); }
};

struct slots_reconfigured : slots {
    slots_reconfigured() : slots(2) {}
    void thread(unsigned i)
    {
        if (i == 0) {
            limiter.reconfigure({.limit = 1, .max_queue = 4});
            limiter.reconfigure({.limit = 2, .max_queue = 4});
        } else {
            queue(i == 1);
        }
    }
};

// retry_budget

struct budget {
    explicit budget(weir::duration window = {})
        : tokens({.per_success = 0.5, .initial = 1, .max = 2, .window = window, .name = {}})
    {
    }

    weir::retry_budget tokens;
    double earned = 1;  // before the deposit is seen by anybody
    double spent = 0;   // after the withdrawal

    void withdraw(bool give_back, weir::time_point now = start)
    {
        if (!tokens.try_withdraw(now)) return;
        spent += 1;
        check();
        if (!give_back) return;
        spent -= 1;
        tokens.refund();
    }
    void deposit(weir::time_point now = start)
    {
        earned += 0.5;
        tokens.deposit(now);
    }
    void check()
    {
        if (spent > earned) explorer::current()->fail("spent more than was earned");
    }
    void thread(unsigned i)
    {
        if (i == 0) {
            deposit(), deposit(), deposit();
        } else {
            withdraw(i == 1), withdraw(false);
        }
    }
    std::string end()
    {
        check();
        if (tokens.tokens() + spent > earned + 1e-6) return "tokens out of nothing";
        return tokens.tokens() < -1e-9 || tokens.tokens() > 2 ? "out of its range" : "";
    }
};

struct budget_shrinks : budget {
    void thread(unsigned i)
    {
        if (i == 0) {
            tokens.reconfigure({.per_success = 0.5, .max = 1});
        } else {
            deposit(), withdraw(i == 1), deposit();
        }
    }
    std::string end()
    {
        // A deposit that had read the larger max may still land; what was earned bounds it all the same.
        check();
        return tokens.tokens() + spent > earned + 1e-6 ? "tokens out of nothing" : "";
    }
};

/// Two of them come where a half of the window ends, and one of those where the next one does.
struct budget_forgets : budget {
    budget_forgets() : budget(1s) { deposit(); }

    void thread(unsigned i)
    {
        if (i == 0) {
            deposit(start + 500ms), withdraw(true, start + 500ms);
        } else {
            withdraw(false, start + 500ms), deposit(start + 1s);
        }
    }
    std::string end()
    {
        check();
        if (tokens.tokens() + spent > earned + 1e-6) return "tokens out of nothing";
        tokens.deposit(start + 3s);  // nothing came in for a window: what a new one has, and this
        return tokens.tokens() > 1.5 + 1e-6 ? "old credit is kept" : "";
    }
};

// circuit_breaker

struct breaker {
    struct manual {
        [[nodiscard]] static weir::time_point now() noexcept { return start; }
    };
    using circuit = weir::basic_circuit_breaker<manual>;
    std::vector<std::pair<weir::circuit_state, weir::circuit_state>> heard;
    circuit b{{.failure_rate = 0.5,
               .minimum_calls = 2,
               .window = weir::count_window{2},
               .open_for = 10ns,
               .half_open_probes = 2,
               .probe_timeout = 1h,
               .stripes = 1}};
    int out = 0;

    breaker()
    {
        b.on_transition([this](weir::circuit_transition const& t) { heard.emplace_back(t.from, t.to); });
    }
    void open()
    {
        for (int i = 0; i < 2; ++i) (*b.admit(start)).record(weir::outcome::failure(), start);
    }
    /// Every transition was heard, once, in order.
    std::string end()
    {
        auto s = weir::circuit_state::closed;
        for (auto const& [from, to] : heard) {
            if (from != s) return "transitions out of order";
            s = to;
        }
        return s == b.state(start) ? "" : "a transition was not heard";
    }
};

/// Three ask when the open time is over; at most two probes are out, and both healthy ones close it.
struct probes : breaker {
    int let_in = 0;
    probes() { open(); }
    void thread(unsigned)
    {
        auto a = b.admit(start + 20ns);
        if (!a) return;
        ++let_in;
        if (b.state(start) == weir::circuit_state::half_open && ++out > 2)
            explorer::current()->fail("three probes out");
        (*a).record(weir::outcome::success(), start + 20ns);
        --out;
    }
    std::string end()
    {
        if (let_in < 2) return "a probe's place was lost";
        if (b.state(start) != weir::circuit_state::closed) return "two healthy probes did not close it";
        return breaker::end();
    }
};

/// A probe that is dropped leaves its place to another; one that fails opens the circuit again.
struct dropped_probe : breaker {
    dropped_probe() { open(); }
    bool failed = false;
    void thread(unsigned i)
    {
        auto a = b.admit(start + 20ns);
        if (!a || i == 0) return;
        if (i == 1) failed = true;
        (*a).record(i == 1 ? weir::outcome::failure() : weir::outcome::success(), start + 20ns);
    }
    std::string end()
    {
        auto const s = b.state(start);
        if (failed && s != weir::circuit_state::open) return "one of two probes failed, and it is not open";
        if (s == weir::circuit_state::half_open && !b.admit(start + 20ns)) return "its place was lost";
        return breaker::end();
    }
};

/// Results of calls that began before the circuit opened say nothing about the probes, nor about what follows.
struct late_results : breaker {
    std::optional<circuit::permit> old[2];
    late_results()
    {
        for (auto& o : old) o = *b.admit(start);
        open();
    }
    void thread(unsigned i)
    {
        if (i < 2) {
            old[i]->record(weir::outcome::failure(), start + 20ns);
            return;
        }
        for (int k = 0; k < 2; ++k)
            if (auto a = b.admit(start + 20ns)) (*a).record(weir::outcome::success(), start + 20ns);
    }
    std::string end()
    {
        if (b.state(start) != weir::circuit_state::closed) return "a late result counted";
        if (b.tally(start + 20ns).calls != 0) return "the new window holds an old result";
        return breaker::end();
    }
};

/// Closed: results come in from all sides, in the quick way and in the slow one; the window counts each once.
struct results : breaker {
    void thread(unsigned i)
    {
        for (int k = 0; k < 2; ++k)
            if (auto a = b.admit(start))
                (*a).record(i == 0 && k == 1 ? weir::outcome::failure() : weir::outcome::success(), start);
    }
    std::string end()
    {
        if (b.tally(start).calls > 2) return "more calls than the window holds";
        return breaker::end();
    }
};

/// The same over time: a success is one compare-exchange on the front of the window.
struct results_over_time {
    weir::basic_circuit_breaker<breaker::manual> b{
        {.failure_rate = 1.0, .minimum_calls = 100, .window = weir::time_window{}, .open_for = 10ns, .stripes = 1}};
    void thread(unsigned i)
    {
        for (auto const late : {0ms, 1500ms}) {
            auto a = b.admit(start);
            (*a).record(i == 1 ? weir::outcome::failure() : weir::outcome::success(), start + late);
        }
    }
    std::string end()
    {
        auto const t = b.tally(start + 1500ms);
        return t.calls == 6 && t.failures == 2 ? "" : std::to_string(t.calls) + " calls of 6 were counted";
    }
};

/// The thread that uses it alone goes on while another one changes the limit.
struct slots_owned : slots {
    slots_owned() : slots(2) {}
    void thread(unsigned i)
    {
        if (i == 0) {
            come_in(), come_in();
        } else {
            limiter.reconfigure({.limit = 1, .max_queue = 4, .name = {}});
        }
    }
    std::string end() { return limiter.limit() == 1 ? slots::end() : "the new limit was overwritten"; }
};

scenarios const of_concurrency_limit{[](std::vector<scenario>& all) {
    all.push_back(make_scenario<slots_plain>("concurrency_limit: admit and release", 3, 2));
    all.push_back(make_scenario<slots_queued>("concurrency_limit: release against queue and cancel", 3, 3));
    all.push_back(make_scenario<slots_impatient>("concurrency_limit: two cancel", 3, 3));
    all.push_back(make_scenario<slots_owned>("concurrency_limit: the limit changes under its owner", 2, 3));
    all.push_back(make_scenario<slots_reconfigured>("concurrency_limit: the limit changes under a queue", 3, 2));
}};

scenarios const of_retry_budget{[](std::vector<scenario>& all) {
    all.push_back(make_scenario<budget>("retry_budget: withdraw, refund, deposit", 3, 3));
    all.push_back(make_scenario<budget_shrinks>("retry_budget: the most it holds changes", 3, 2));
    all.push_back(make_scenario<budget_forgets>("retry_budget: the window's edge", 2, 3));
}};

scenarios const of_circuit_breaker{[](std::vector<scenario>& all) {
    all.push_back(make_scenario<probes>("circuit_breaker: probes", 3, 2));
    all.push_back(make_scenario<dropped_probe>("circuit_breaker: a probe is dropped", 3, 2));
    all.push_back(make_scenario<late_results>("circuit_breaker: late results", 3, 2));
    all.push_back(make_scenario<results>("circuit_breaker: results in a count window", 3, 2));
    all.push_back(make_scenario<results_over_time>("circuit_breaker: results in a time window", 3, 2));
}};

}  // namespace
}  // namespace never_over
