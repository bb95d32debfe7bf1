// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A gate of your own: whatever has admit(now) and answers with a token or a rejection is a stage like any other. Here
// each tenant has prepaid a number of calls, and does not pay for those that the service behind fails to answer.
//
// Expected output:
//   acme: its report; 1 left
//   acme: Connection refused; 1 left
//   acme: its report; 0 left
//   acme: refused by quota of acme: rate limited: no permit at this time; 0 left
//   bolt: refused by circuit_breaker: circuit open; 5 left

#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/pipeline.hpp>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace {

class prepaid_calls {
    struct give_back {
        void operator()(prepaid_calls* p) const noexcept { ++p->left_; }
    };
    using held = std::unique_ptr<prepaid_calls, give_back>;

public:
    /// The token: movable, not copyable. Told how the call ended, it keeps the unit or gives it back. Destroyed without
    /// being told, because a gate further in refused and nothing was sent, it gives it back too.
    struct unit {
        held from;
        void record(weir::outcome const& o, weir::time_point) noexcept
        {
            if (o.ok())
                (void)from.release();
            else
                from.reset();
        }
    };

    prepaid_calls(std::string name, unsigned calls) : name_(std::move(name)), left_(calls) {}

    weir::admission<unit> admit(weir::time_point) noexcept
    {
        // Look and take in one step: two threads never get the same last call.
        for (auto left = left_.load(); left > 0;)
            if (left_.compare_exchange_weak(left, left - 1)) return unit{held(this)};
        return weir::rejection{weir::errc::rate_limited, weir::never, name_};  // never: it does not come back by itself
    }

    [[nodiscard]] unsigned left() const noexcept { return left_; }

private:
    std::string const name_;
    std::atomic<unsigned> left_;
};

void show(char const* tenant, weir::result<std::string> const& r, prepaid_calls const& quota)
{
    std::string text = r ? *r : r.error().code.message();
    if (!r && r.error().refused) text = "refused by " + std::string(r.error().refused->gate) + ": " + text;
    std::printf("%s: %s; %u left\n", tenant, text.c_str(), quota.left());
}

}  // namespace

int main()
{
    weir::circuit_breaker breaker;  // one for the service behind
    prepaid_calls acme("quota of acme", 2), bolt("quota of bolt", 5);
    auto for_acme = weir::pipeline(acme, breaker);
    auto for_bolt = weir::pipeline(bolt, breaker);

    auto const works = [](weir::attempt const&) -> weir::result<std::string> { return "its report"; };
    auto const fails = [](weir::attempt const&) -> weir::result<std::string> {
        return {std::make_error_code(std::errc::connection_refused)};
    };
    show("acme", for_acme.call(works), acme);
    show("acme", for_acme.call(fails), acme);
    show("acme", for_acme.call(works), acme);
    show("acme", for_acme.call(works), acme);

    breaker.force_open();
    show("bolt", for_bolt.call(works), bolt);
}
