// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A hook with the right name and a wrong signature would never run, and nobody would know.
// expect: weir::observe: the hook is a public void attempt_started(weir::attempt const&)
// expect: weir::observe: the hook is a public void attempt_ended(weir::attempt const&, weir::outcome const&)
// expect: weir::observe: the hook is a public void refused(weir::rejection const&)
// expect: weir::observe: the hook is a public void retry_scheduled(unsigned, weir::duration)
// expect: weir::observe: the hook is a public void retry_suppressed(weir::no_retry)
// expect: weir::observe: the hook is a public void hedge_started(weir::attempt const&)
// expect: weir::observe: the hook is a public void hedge_suppressed(weir::no_hedge)
// expect: weir::observe: the hook is a public void not_enforced(weir::errc)
// expect: weir::observe: the hook is a public void call_ended(weir::call_report const&)
#include <weir/call/pipeline.hpp>

struct observer {
#ifdef WEIR_CORRECT
    void attempt_started(weir::attempt const&) {}
    void attempt_ended(weir::attempt const&, weir::outcome const&) {}
    void refused(weir::rejection const&) {}
    void retry_scheduled(unsigned, weir::duration) {}
    void retry_suppressed(weir::no_retry) {}
    void hedge_started(weir::attempt const&) {}
    void hedge_suppressed(weir::no_hedge) {}
    void not_enforced(weir::errc) {}
    void call_ended(weir::call_report const&) {}
#else
    void attempt_started(int) {}
    void attempt_started(long) {}
    template <class T>
    void attempt_ended(T, T)
    {
    }
    void refused(weir::errc) {}
    void retry_scheduled(weir::duration, unsigned) {}
    void retry_suppressed() {}
    void hedge_started(int) {}
    void hedge_suppressed(weir::no_retry) {}
    void not_enforced(weir::outcome) {}

private:
    void call_ended(weir::call_report const&) {}
#endif
};

int main()
{
    observer seen;
    auto guarded = weir::pipeline(weir::observe(seen), weir::retry());
    return guarded.call([](weir::attempt const&) { return 0; }).value();
}
