// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// weir on an event loop of your own. A program that has neither Asio nor threads drives the machine inside a pipeline
// by hand: it does no I/O, reads no clock and waits for nobody, it only says what to do next. `guarded_call` below is
// all there is to it. The loop here is a list of events, with a clock that jumps; yours has epoll, a window or a game.
//
// Expected output:
//   at   0 ms: tea: attempt 1 is sent
//   at   0 ms: coffee: attempt 1 is sent
//   at   0 ms: cocoa: refused by token_bucket
//   at  30 ms: coffee: 7 euros
//   at 100 ms: tea: Operation canceled
//   at 150 ms: tea: attempt 2 is sent
//   at 160 ms: tea: Connection refused
//   at 210 ms: tea: attempt 3 is sent
//   at 230 ms: tea: 4 euros
#include <weir/weir.hpp>

#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
using event_list = std::multimap<weir::time_point, std::function<void()>>;

struct event_loop {
    weir::time_point now{};
    event_list events;
    event_list::iterator at(weir::time_point t, std::function<void()> f) { return events.emplace(t, std::move(f)); }
    void run()
    {
        while (!events.empty()) {
            auto const next = events.extract(events.begin());
            now = next.key();
            next.mapped()();
        }
    }
};

struct answer {  // of a network that this program has not
    weir::duration after{};
    std::error_code error{};
    int euros = 0;
};

template <class Pipeline>
class guarded_call {
    using machine = weir::machine<Pipeline>;

public:
    guarded_call(event_loop& loop, Pipeline& p, char const* what, std::vector<answer> script)
        : loop_(loop), machine_(p), what_(what), script_(std::move(script))
    {
        machine_.start(loop_.now, nullptr, random_);
        obey();
    }

private:
    void obey()
    {
        ++turns_;
        for (;;) {
            auto const step = machine_.next(loop_.now, random_);
            if (step.what == machine::verb::done) return done();
            if (step.what == machine::verb::send) send(machine_.attempt_in(step.slot));
            if (step.what == machine::verb::cancel) {
                loop_.events.erase(in_flight_);
                ended({.error = std::make_error_code(std::errc::operation_canceled)});
            }
            if (step.what == machine::verb::wait) {  // for nothing, if something else happens before
                loop_.at(step.until, [this, turn = turns_] { turn == turns_ ? obey() : void(); });
                return;
            }
        }
    }

    void send(weir::attempt const& a)
    {
        say("attempt " + std::to_string(a.number()) + " is sent");
        auto const& comes = script_[a.number() - 1];
        in_flight_ = loop_.at(loop_.now + comes.after, [this, &comes] { ended(comes), obey(); });
    }

    void ended(answer const& a)
    {
        if (a.error) say(a.error.message());
        auto const outcome = a.error ? weir::default_classifier{}(a.error) : weir::outcome::success();
        if (machine_.finished(0, outcome, loop_.now, random_)) kept_ = a;
    }

    void done()
    {
        bool const answered = machine_.how_it_ended() == machine::verdict::answered;  // else refused, or timed out
        say(answered ? std::to_string(kept_.euros) + " euros" : "refused by " + std::string(machine_.refusal().gate));
    }

    void say(std::string const& text)
    {
        std::printf("at %3d ms: %s: %s\n", static_cast<int>(loop_.now.time_since_epoch() / 1ms), what_, text.c_str());
    }

    event_loop& loop_;
    machine machine_;
    weir::random_engine random_{1};
    char const* what_;
    std::vector<answer> script_;
    event_list::iterator in_flight_;
    answer kept_;
    unsigned turns_ = 0;
};

int main()
{
    event_loop loop;
    weir::token_bucket bucket{{.rate = weir::per_second(2), .burst = 2}};
    auto const pause = weir::constant(50ms).with(weir::jitter::none);
    auto prices =
        weir::pipeline(weir::deadline(1s), bucket, weir::retry({.backoff = pause}), weir::attempt_timeout(100ms));

    auto const refused = std::make_error_code(std::errc::connection_refused);
    guarded_call tea(loop, prices, "tea", {{.after = 1h}, {10ms, refused}, {20ms, {}, 4}});
    guarded_call coffee(loop, prices, "coffee", {{30ms, {}, 7}});
    guarded_call cocoa(loop, prices, "cocoa", {});
    loop.run();
}
