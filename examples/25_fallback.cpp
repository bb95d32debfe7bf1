// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Something to say when a call fails. A stale_cache keeps the last good answers; a fallback is asked when the call has
// failed for good, and its own failure never hides the original one.
//
// Expected output:
//   tea:    3.20, fresh
//   tea:    3.20, fresh
//   tea:    3.20, 90 s old, for the shop is down: Connection refused
//   coffee: no price: Connection refused, and the fallback failed too: the price list is lost
//   list:   5.00, instead of: Connection refused
//   page:   of yesterday, instead of: the answer itself was a failure
//   asked the shop 5 times

#include <weir/call/classify.hpp>
#include <weir/call/fallback.hpp>
#include <weir/call/stale_cache.hpp>
#include <weir/testing/manual_clock.hpp>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>

using namespace std::chrono_literals;

int main()
{
    weir::testing::manual_clock clock;
    bool shop_is_open = true;
    int asked = 0;

    // The call that may fail: in your service a pipeline around a request.
    auto const ask_the_shop = [&]() -> weir::result<double> {
        ++asked;
        if (shop_is_open) return 3.2;
        return weir::error(std::make_error_code(std::errc::connection_refused));
    };

    // Kept for ten seconds; after that, for an hour, only served when the shop does not answer.
    weir::stale_cache<std::string, double> prices{{.fresh_for = 10s, .stale_for = 1h}};
    auto const tea = [&] {
        auto const price = prices.call("tea", ask_the_shop, clock);
        if (price->stale)
            std::printf("tea:    %.2f, %d s old, for the shop is down: %s\n", **price,
                        static_cast<int>(price->age / 1s), price->error->code.message().c_str());
        else
            std::printf("tea:    %.2f, fresh\n", **price);
    };
    tea();
    tea();  // the shop is not asked
    shop_is_open = false;
    clock.advance(90s);
    tea();

    // Another operation instead. Should it fail, the result carries both failures.
    weir::fallback from_disk{[]() -> double { throw std::runtime_error("the price list is lost"); }};
    auto const coffee = from_disk(ask_the_shop());
    std::printf("coffee: no price: %s", coffee.error().code.message().c_str());
    try {
        std::rethrow_exception(coffee.report().own->thrown);
    } catch (std::exception const& e) {
        std::printf(", and the fallback failed too: %s\n", e.what());
    }

    // A value instead; not for what weir itself refused, and never for a call that its caller has cancelled.
    weir::fallback list_price{5.0, weir::on_failure{}};
    auto const price = list_price(ask_the_shop());
    std::printf("list:   %.2f, instead of: %s\n", *price, price.report().original->error.code.message().c_str());

    // Here the call has a value, and the value says that it failed: a classifier tells, the one that your pipeline has.
    struct reply {
        int status;
        char const* text;
    };
    weir::classify const judge{
        [](reply const& r) { return r.status >= 500 ? weir::outcome::failure() : weir::outcome::success(); }};
    weir::fallback yesterday{reply{200, "of yesterday"}};
    auto const page = yesterday.judged_by(judge)(weir::result<reply>(reply{503, "overloaded"}));
    std::printf("page:   %s, instead of: %s\n", page->text, page.report().original->error.code.message().c_str());

    (void)prices.call("milk", ask_the_shop, clock);  // nothing is kept for it: the error comes through
    std::printf("asked the shop %d times\n", asked);
}
