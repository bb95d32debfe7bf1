// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <setjmp.h>
#include <ucontext.h>

/// Runs small scenarios in every order of their steps. A step is one operation on a weir::atomic or weir::mutex (see
/// exploring_atomic.hpp); the threads of a scenario are fibers of one thread, so a run is deterministic, and an order
/// is a list of decisions that can be printed and replayed.
///
/// All orders with at most `bound` preemptions are run, bound 0 first (iterative context bounding: Musuvathi and
/// Qadeer, PLDI 2007; most races need one or two). Every step sees the latest value: what only a weaker memory order
/// could show is not found here.
namespace weir::exploring {

struct options {
    unsigned bound = 2;                                ///< preemptions in one run
    std::uint64_t most_runs = 50'000'000;              ///< then it gives up
    std::uint64_t most_steps = 20'000;                 ///< in one run; more is a livelock
    std::optional<std::vector<unsigned>> replay = {};  ///< one run only, with these decisions and this bound; traced
};

struct result {
    std::uint64_t runs = 0;
    std::uint64_t steps = 0;
    unsigned bound = 0;               ///< explored completely, or in which it failed
    bool complete = false;            ///< all of them
    std::string failure;              ///< empty: none
    std::vector<unsigned> decisions;  ///< of the failed run
};

class explorer {
public:
    explicit explorer(options o) : options_(std::move(o)) {}
    explorer(explorer const&) = delete;
    explorer& operator=(explorer const&) = delete;

    /// `begin` makes a new scenario, `thread(i)` is its thread i, `end` says what is wrong with the outcome.
    result explore(unsigned threads, std::function<void()> begin, std::function<void(unsigned)> thread,
                   std::function<std::string()> end)
    {
        begin_ = std::move(begin), body_ = std::move(thread), end_ = std::move(end);
        fibers_ = std::vector<fiber>(threads);
        for (unsigned i = 0; i < threads; ++i) start_fiber(i);
        result r;
        if (options_.replay) {
            for (auto const d : *options_.replay) path_.push_back({d, d + 1});
            traced_ = true;
            r.bound = bound_ = options_.bound;
            run(r);
            return r;
        }
        for (bound_ = 0; bound_ <= options_.bound; ++bound_) {
            r.bound = bound_;
            path_.clear();
            do {
                run(r);
                if (!r.failure.empty()) return r;
                if (r.runs >= options_.most_runs) return r;
            } while (next_path());
        }
        r.bound = options_.bound;
        r.complete = true;
        return r;
    }

    /// The one that runs now. None: the steps are the standard's.
    [[nodiscard]] static explorer* current() noexcept { return current_; }

    // What the fibers call.

    /// About to take a step on the object at this address.
    void step(char const* what, void const* where)
    {
        if (++steps_ > options_.most_steps) {
            fail("livelock");
            abandoned_ = true;
        }
        auto& me = fibers_[running_];
        me.spins = me.unchanged >= 8;
        if (me.spins) me.unchanged = 0;
        switch_to(choose(true));
        trace(what, where);
    }
    /// Whether that step changed anything. A thread that changes nothing on one address again and again waits for
    /// others, and goes on when anything was changed.
    void changed(bool yes, void const* where) noexcept
    {
        if (yes)
            for (auto& f : fibers_) f.spins = false;
        auto& me = fibers_[running_];
        me.unchanged = yes ? 0 : me.looked_at == where ? me.unchanged + 1 : 1;
        me.looked_at = where;
    }
    /// Does not go on before `ready` says so. If it never does, that is the failure.
    void wait(std::function<bool()> ready)
    {
        auto& me = fibers_[running_];
        if (!ready()) {
            me.ready = std::move(ready);
            switch_to(choose(true));
            me.ready = nullptr;
        }
    }
    void fail(std::string why)
    {
        if (failure_.empty()) failure_ = std::move(why);
    }
    [[nodiscard]] unsigned running() const noexcept { return running_; }
    [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
    [[nodiscard]] bool traced() const noexcept { return traced_; }
    void note(std::string const& s) const
    {
        if (traced_) std::printf("      thread %u: %s\n", running_, s.c_str());
    }

private:
    static constexpr std::size_t stack_size = 256 * 1024;
    static constexpr unsigned nobody = ~0u;

    struct fiber {
        ucontext_t context{};  // where it begins
        jmp_buf left{};        // and where it was left
        bool begun = false;
        std::unique_ptr<char[]> stack;
        std::function<bool()> ready;  // waits for this, if anything
        bool done = true;
        bool spins = false;
        unsigned unchanged = 0;
        void const* looked_at = nullptr;
    };

    /// A decision: which of the threads that could go on does so.
    struct decision {
        unsigned taken;
        unsigned of;
    };

    void start_fiber(unsigned i)
    {
        auto& f = fibers_[i];
        f.stack = std::make_unique<char[]>(stack_size);
        getcontext(&f.context);
        f.context.uc_stack.ss_sp = f.stack.get();
        f.context.uc_stack.ss_size = stack_size;
        f.context.uc_link = nullptr;
        auto const self = reinterpret_cast<std::uintptr_t>(this);
        makecontext(&f.context, reinterpret_cast<void (*)()>(&explorer::fiber_main), 3, static_cast<unsigned>(self),
                    static_cast<unsigned>(static_cast<std::uint64_t>(self) >> 32), i);
    }

    static void fiber_main(unsigned low, unsigned high, unsigned i)
    {
        auto const self = static_cast<std::uint64_t>(high) << 32 | low;
        auto& e = *reinterpret_cast<explorer*>(static_cast<std::uintptr_t>(self));
        for (;;) {  // once per run
            e.body_(i);
            e.fibers_[i].done = true;
            e.trace("done", nullptr);
            e.switch_to(e.choose(false));
        }
    }

    void run(result& r)
    {
        for (auto& f : fibers_) f.done = f.spins = false, f.ready = nullptr, f.unchanged = 0, f.looked_at = nullptr;
        steps_ = 0;
        depth_ = 0;
        preemptions_ = 0;
        failure_.clear();
        objects_.clear();
        begin_();
        current_ = this;
        running_ = nobody;
        switch_to(choose(false));
        current_ = nullptr;
        if (failure_.empty()) failure_ = end_();
        ++r.runs;
        r.steps += steps_;
        if (!failure_.empty()) {
            r.failure = failure_;
            for (std::size_t i = 0; i < depth_; ++i) r.decisions.push_back(path_[i].taken);
            while (!r.decisions.empty() && r.decisions.back() == 0) r.decisions.pop_back();
        }
    }

    [[nodiscard]] bool can_go_on(unsigned i) const
    {
        auto const& f = fibers_[i];
        return !f.done && !f.spins && (!f.ready || f.ready());
    }

    /// The thread to run now; `nobody`: the run is over.
    unsigned choose(bool me_first)
    {
        if (abandoned_) return nobody;
        candidates_.clear();
        bool const mine = running_ != nobody && can_go_on(running_);
        if (mine && me_first) candidates_.push_back(running_);
        for (unsigned i = 0; i < fibers_.size(); ++i)
            if (i != running_ && can_go_on(i)) candidates_.push_back(i);
        if (candidates_.empty() && mine) return running_;
        if (candidates_.empty()) {
            bool any_spins = false;
            for (auto& f : fibers_) any_spins |= std::exchange(f.spins, false);
            if (any_spins) return choose(me_first);  // not for long, or it is a livelock
            for (auto const& f : fibers_)
                if (!f.done) {
                    fail("deadlock, or a wake-up that was lost");
                    abandoned_ = true;  // nothing is unwound: a failure ends the exploration
                    break;
                }
            return nobody;
        }
        bool const preempts = mine && me_first;
        auto const options = preempts && preemptions_ >= bound_ ? 1u : static_cast<unsigned>(candidates_.size());
        unsigned taken = 0;
        if (options > 1) {
            if (depth_ == path_.size()) path_.push_back({0, options});
            taken = path_[depth_++].taken;
            if (taken >= options) taken = 0;  // a replay of something else
        }
        if (preempts && taken != 0) ++preemptions_;
        return candidates_[taken];
    }

    void switch_to(unsigned next)
    {
        auto const before = running_;
        if (next == before) return;
        running_ = next;
        // swapcontext would ask the kernel for the signal mask, twice at every step.
        if (_setjmp(before == nobody ? main_ : fibers_[before].left) != 0) return;
        if (next == nobody) _longjmp(main_, 1);
        if (std::exchange(fibers_[next].begun, true)) _longjmp(fibers_[next].left, 1);
        setcontext(&fibers_[next].context);
    }

    /// The next path in depth-first order.
    bool next_path()
    {
        path_.resize(depth_);
        while (!path_.empty()) {
            if (++path_.back().taken < path_.back().of) return true;
            path_.pop_back();
        }
        return false;
    }

    void trace(char const* what, void const* where)
    {
        if (!traced_) return;
        std::size_t number = 0;
        while (number < objects_.size() && objects_[number] != where) ++number;
        if (number == objects_.size()) objects_.push_back(where);
        std::printf("%4llu  thread %u: %s #%zu\n", static_cast<unsigned long long>(steps_), running_, what, number);
    }

    options options_;
    std::function<void()> begin_;
    std::function<void(unsigned)> body_;
    std::function<std::string()> end_;
    std::vector<fiber> fibers_;
    jmp_buf main_{};
    unsigned running_ = nobody;
    std::vector<decision> path_;
    std::size_t depth_ = 0;
    unsigned bound_ = 0;
    unsigned preemptions_ = 0;
    std::uint64_t steps_ = 0;
    std::string failure_;
    std::vector<unsigned> candidates_;
    std::vector<void const*> objects_;
    bool abandoned_ = false;
    bool traced_ = false;
    static inline explorer* current_ = nullptr;
};

}  // namespace weir::exploring
