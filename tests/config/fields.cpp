// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/fields.hpp>

#include <weir/http/byte_rate.hpp>
#include <weir/shared/shared_limit_options.hpp>

#include <support/count_fields.hpp>

#include <doctest/doctest.h>

#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <set>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace {

struct lister {
    std::set<std::string_view> names;
    std::size_t fields = 0;

    template <class T>
    void operator()(std::string_view name, T&)
    {
        names.insert(name);
        ++fields;
    }
    template <class T>
    void fixed(std::string_view name, T& field)
    {
        (*this)(name, field);
    }
    template <class T>
    void bytes(std::string_view name, T& field)
    {
        (*this)(name, field);
    }
    template <class T>
    void bytes_per_second(std::string_view name, T& field)
    {
        (*this)(name, field);
    }
    template <class T>
    void one_of(std::string_view name, T& field, std::initializer_list<std::pair<char const*, std::type_identity_t<T>>>)
    {
        (*this)(name, field);
    }
};

// All fields of the struct are described, but so many that no document can say; each under a name of its own.
template <class Options>
void complete(std::size_t unspeakable = 0)
{
    using weir::config::describe;
    lister l;
    Options o{};
    describe(l, o);
    CHECK(l.names.size() == l.fields);
    CHECK(l.fields == weir::testing::count_fields<Options>() - unspeakable);
}

}  // namespace

TEST_CASE("fields: every field of every policy's options is there")
{
    complete<weir::token_bucket_options>();
    complete<weir::striped_token_bucket_options>();
    complete<weir::leaky_bucket_options>();
    complete<weir::warm_up_options>();
    complete<weir::fixed_window_options>();
    complete<weir::sliding_window_limiter_options>();
    complete<weir::sliding_window_log_options>();
    complete<weir::keyed_quota>();
    complete<weir::keyed_limiter_options>();
    complete<weir::concurrency_limit_options>();
    complete<weir::fixed_limit_options>();
    complete<weir::aimd_options>();
    complete<weir::gradient2_options>();
    complete<weir::vegas_options>();
    complete<weir::littles_law_options>();
    complete<weir::adaptive_limit_options<weir::aimd>>();
    complete<weir::partitioned_limit_options<weir::aimd>>();
    complete<weir::shedding_queue_options<weir::fixed_limit>>();
    complete<weir::load_shedder_options>();
    complete<weir::time_window>();
    complete<weir::count_window>();
    complete<weir::circuit_breaker_options>();
    complete<weir::keyed_breakers_options>();
    complete<weir::throttle_options>();
    complete<weir::retry_budget_options>();
    complete<weir::retry_options>(1);  // delay_from is a function
    complete<weir::latency_quantile_options>();
    complete<weir::hedge_options>();
    complete<weir::round_robin_options>();
    complete<weir::peak_ewma_options>();
    complete<weir::dry_run_options>();
    complete<weir::chaos_options>(1);  // fault is an error code
    complete<weir::stale_cache_options>();
    complete<weir::http::byte_rate_options>();
    complete<weir::shared_limit_options>();
}
