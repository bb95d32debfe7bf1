// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A concurrency limit that finds its number. Behind it, in simulated time, a service with ten workers that need 100 ms
// for a call; before it, callers who ask 150 times a second, half as many again as can be served. Nobody told the limit
// of either.
//
// Too low a limit wastes workers, too high a one makes everybody wait: "seconds in line" is what a caller got for
// coming here. The fixed limit was right when it was set, for a service with a hundred workers.
//
// Expected output:
//                 fixed limit of 300       adaptive_limit
//                 limit  seconds in line   limit  seconds in line
//   after   1 s     300              0.3      20              0.1
//   after  10 s     300              2.9      31              0.2
//   after  60 s     300              2.9      33              0.2
//   after 600 s     300              2.9      34              0.2
//   served per second in the last minute: 100 with the fixed one, 99 with the adaptive one

#include <weir/limit/adaptive_limit.hpp>

#include <cstdio>
#include <deque>

using namespace std::chrono_literals;

namespace {

template <class Gate>
class service {
public:
    explicit service(Gate& gate) : gate_(gate) {}

    void run_until(weir::duration t)
    {
        for (; now_ < weir::time_point{t}; now_ += 1ms) {
            while (!working_.empty() && working_.front().done <= now_) {
                working_.front().slot.record(weir::outcome::success(), now_);
                working_.pop_front();
                ++served;
            }
            asked_ += 0.150;  // calls a millisecond
            for (; asked_ >= 1; --asked_)
                if (auto slot = gate_.admit(now_)) line_.push_back({*std::move(slot), now_, {}});
            for (; !line_.empty() && working_.size() < 10; line_.pop_front()) {
                in_line = now_ - line_.front().came;
                line_.front().done = now_ + 100ms;
                working_.push_back(std::move(line_.front()));
            }
        }
    }

    weir::duration in_line{};  // of the one whose work began last
    int served = 0;

private:
    struct call {
        typename Gate::token slot;
        weir::time_point came, done;
    };

    Gate& gate_;
    weir::time_point now_{};
    double asked_ = 0;
    std::deque<call> line_, working_;  // everybody needs the same time, so the first in is the first out
};

}  // namespace

int main()
{
    weir::adaptive_limit<weir::fixed_limit> fixed{{.concurrency = {.limit = 300}}};
    weir::adaptive_limit<> adaptive;  // what a limit learns with is a parameter: weir::gradient2, vegas, aimd, your own
    service a{fixed};
    service b{adaptive};

    std::puts("              fixed limit of 300       adaptive_limit");
    std::puts("              limit  seconds in line   limit  seconds in line");
    int served_a = 0, served_b = 0;
    for (auto const t : {1s, 10s, 60s, 600s}) {
        a.run_until(t - 60s), b.run_until(t - 60s);
        served_a = a.served, served_b = b.served;
        a.run_until(t), b.run_until(t);
        auto const seconds = [](weir::duration d) { return std::chrono::duration<double>(d).count(); };
        std::printf("after %3d s  %6u  %15.1f  %6u  %15.1f\n", static_cast<int>(t.count()), fixed.limit(),
                    seconds(a.in_line), adaptive.limit(), seconds(b.in_line));
    }
    std::printf("served per second in the last minute: %d with the fixed one, %d with the adaptive one\n",
                (a.served - served_a) / 60, (b.served - served_b) / 60);
}
