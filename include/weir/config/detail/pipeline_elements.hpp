// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/circuit_breaker.hpp>
#include <weir/breaker/keyed_breakers.hpp>
#include <weir/breaker/throttle.hpp>
#include <weir/call/any_stage.hpp>
#include <weir/call/chaos.hpp>
#include <weir/call/dry_run.hpp>
#include <weir/config/binding.hpp>
#include <weir/config/fields.hpp>
#include <weir/config/finding.hpp>
#include <weir/config/reader.hpp>
#include <weir/limit/adaptive_limit.hpp>
#include <weir/limit/keyed_limiter.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::config::detail {

/// One stage of a pipeline that a document describes, while it is in one. First `stage`; then, if there is not one
/// finding, `put`, which may refuse; then `keep`, or `put_back` if another one refused.
struct element {
    element() = default;
    element(element const&) = delete;
    virtual ~element() = default;

    /// Reads and checks. Nothing is changed.
    virtual void stage(json::value const& given, std::string const& key, findings& found) = 0;
    /// The stage as it will be; unless `changed`, as it is: what was staged last may have been refused.
    [[nodiscard]] virtual any_stage made(bool changed) = 0;
    virtual void put(std::optional<time_point>) {}
    virtual void put_back(std::optional<time_point>) {}
    virtual void keep(bool /*changed*/) {}
};

template <class Policy>
void reconfigure(Policy& p, typename Policy::options const& o, std::optional<time_point> now)
{
    if constexpr (requires { p.reconfigure(o, time_point{}); })
        if (now) return p.reconfigure(o, *now);
    p.reconfigure(o);
}

/// What `enforce` says. Nothing: there is none, or it is a finding.
[[nodiscard]] inline std::optional<double> share_in(json::value const* given, std::string const& key, findings& found)
{
    if (given == nullptr) return std::nullopt;
    auto const before = found.size();
    dry_run_options o;
    read(*given, key, o.enforce, found);
    if (found.size() != before) return std::nullopt;
    if (o.enforce >= 0.0 && o.enforce <= 1.0) return o.enforce;
    found.push_back({key, shown(*given), "must be from 0 to 1, or a percentage"});
    return std::nullopt;
}

/// A dry run with what it is of.
template <class Policy>
struct trial_run {
    trial_run(std::shared_ptr<Policy> p, double share) : policy(std::move(p)), stage(*policy, {.enforce = share}) {}

    [[nodiscard]] static any_stage erased(std::shared_ptr<trial_run> const& t)
    {
        return std::shared_ptr<dry_run<Policy&>>(t, &t->stage);
    }

    std::shared_ptr<Policy> policy;
    dry_run<Policy&> stage;
};

/// A gate: made once, and reconfigured.
template <class Policy>
struct gate_element final : element {
    using options = typename Policy::options;

    void stage(json::value const& given, std::string const& key, findings& found) override
    {
        auto const before = found.size();
        next = options{};
        if constexpr (requires { next.name; })
            if (policy) next.name = built.name;
        read(given, key, next, found, purpose::construction);
        if (found.size() != before) return;
        try {
            if (!policy) {
                policy = std::make_shared<Policy>(next);
                built = now = next;
                return;
            }
            auto same = built;  // finds what only construction sets
            read(given, key, same, found, purpose::change);
            if (found.size() == before) try_out(*policy, next);
        } catch (std::invalid_argument const& e) {
            found.push_back(refusal_of(key, &given, e.what()));
        }
    }

    void enforce(json::value const* share, std::string const& key, findings& found)
    {
        next_share = share_in(share, key, found);
    }

    [[nodiscard]] any_stage made(bool changed) override
    {
        auto const& enforced = changed ? next_share : share_now;
        if (!enforced) return policy;
        if (!trial) trial = std::make_shared<trial_run<Policy>>(policy, *enforced);
        return trial_run<Policy>::erased(trial);
    }

    void put(std::optional<time_point> t) override
    {
        reconfigure(*policy, next, t);
        previous = std::exchange(now, next);
    }
    void put_back(std::optional<time_point> t) override
    {
        reconfigure(*policy, previous, t);
        now = previous;
    }
    void keep(bool changed) override
    {
        if (changed) share_now = next_share;
        if (!share_now) trial.reset();
        if (trial) trial->stage.reconfigure({*share_now});
    }

    std::shared_ptr<Policy> policy;
    options built, now, next, previous;
    std::shared_ptr<trial_run<Policy>> trial;
    std::optional<double> share_now, next_share;
};

/// A rule, which does not change: of other options another one is made, which goes on with what the one before learnt.
template <class Rule, class Options>
struct rule_element final : element {
    using maker = std::shared_ptr<Rule> (*)(Options const&, std::shared_ptr<retry_budget> const&, Rule const* before);

    rule_element(maker m, std::shared_ptr<retry_budget> b, Options o)
        : make(m), budget(std::move(b)), base(std::move(o))
    {
    }

    void stage(json::value const& given, std::string const& key, findings& found) override
    {
        auto const before = found.size();
        auto o = base;
        read(given, key, o, found, purpose::construction);
        if (found.size() != before) return;
        try {
            next = make(o, budget, now.get());
        } catch (std::invalid_argument const& e) {
            found.push_back(refusal_of(key, &given, e.what()));
        }
    }

    void enforce(json::value const* share, std::string const& key, findings& found)
    {
        next_trial.reset();
        if (auto const of = share_in(share, key, found)) next_trial = std::make_shared<trial_run<Rule>>(next, *of);
    }

    [[nodiscard]] any_stage made(bool changed) override
    {
        if (auto const& t = changed ? next_trial : trial) return trial_run<Rule>::erased(t);
        return changed ? next : now;
    }
    void keep(bool changed) override
    {
        if (changed) now = next, trial = next_trial;
    }

    maker make;
    std::shared_ptr<retry_budget> budget;
    Options base;
    std::shared_ptr<Rule> now, next;
    std::shared_ptr<trial_run<Rule>> trial, next_trial;
};

/// A rule with the budget that it draws on.
template <class Rule>
struct with_budget {
    template <class Options>
    static std::shared_ptr<Rule> make(Options const& o, std::shared_ptr<retry_budget> const& b, Rule const* before)
    {
        struct both {
            both(Options const& given, std::shared_ptr<retry_budget> kept, Rule const* old)
                : budget(std::move(kept)), rule(made(given, *budget, old))
            {
            }
            static Rule made(Options const& given, retry_budget& kept, [[maybe_unused]] Rule const* old)
            {
                if constexpr (std::is_constructible_v<Rule, Options const&, retry_budget&, Rule const&>)
                    if (old) return Rule(given, kept, *old);
                return Rule(given, kept);
            }
            std::shared_ptr<retry_budget> budget;
            Rule rule;
        };
        auto all = std::make_shared<both>(o, b, before);
        return {all, &all->rule};
    }
};
template <class Rule, class Options>
[[nodiscard]] std::shared_ptr<Rule> alone(Options const& o, std::shared_ptr<retry_budget> const&,
                                          [[maybe_unused]] Rule const* before)
{
    if constexpr (std::is_constructible_v<Rule, Options const&, Rule const&>)
        if (before) return std::make_shared<Rule>(o, *before);
    return std::make_shared<Rule>(o);
}

/// Chaos as a document has it: the seed is one of its options, and must be given; of outcomes and behaviour, which are
/// functions of the program, it knows nothing.
struct chaos_fields {
    std::optional<std::uint64_t> seed = {};
    chaos_options rates = {};
    std::string fault = "connection_reset";
};

template <class F>
void describe(F& f, chaos_fields& c)
{
    f.fixed("seed", c.seed);
    f("enabled", c.rates.enabled);
    f("fault_rate", c.rates.fault_rate);
    f("fault", c.fault);
    f("latency_rate", c.rates.latency_rate);
    f("latency", c.rates.latency);
}

/// The names of std::errc.
[[nodiscard]] inline std::error_code fault_named(std::string const& name)
{
    constexpr std::pair<char const*, std::errc> faults[] = {
        {"connection_reset", std::errc::connection_reset},
        {"connection_refused", std::errc::connection_refused},
        {"connection_aborted", std::errc::connection_aborted},
        {"timed_out", std::errc::timed_out},
        {"host_unreachable", std::errc::host_unreachable},
        {"network_unreachable", std::errc::network_unreachable},
        {"broken_pipe", std::errc::broken_pipe},
        {"not_connected", std::errc::not_connected},
        {"io_error", std::errc::io_error},
        {"permission_denied", std::errc::permission_denied},
        {"resource_unavailable_try_again", std::errc::resource_unavailable_try_again}};
    std::vector<std::string> names;
    for (auto const& [known, code] : faults) {
        if (name == known) return std::make_error_code(code);
        names.emplace_back(known);
    }
    throw std::invalid_argument("weir: chaos_options.fault " + unknown_name(name, names));
}

class chaos_gate {
public:
    using options = chaos_fields;
    using token = chaos::token;

    explicit chaos_gate(options const& o) : chaos_(seed_of(o), rates_of(o)) {}
    void reconfigure(options const& o) { chaos_.reconfigure(rates_of(o)); }

    admission<token> admit(time_point now) { return chaos_.admit(now); }

    [[nodiscard]] static char const* name() noexcept { return "chaos"; }
    [[nodiscard]] bool enabled() const noexcept { return chaos_.enabled(); }

private:
    [[nodiscard]] static std::uint64_t seed_of(options const& o)
    {
        if (!o.seed)
            throw std::invalid_argument("weir: chaos_options.seed must be given, so that a run can be repeated");
        return *o.seed;
    }
    [[nodiscard]] static chaos_options rates_of(options const& o)
    {
        auto rates = o.rates;
        rates.fault = fault_named(o.fault);
        return rates;
    }

    chaos chaos_;
};

/// A name in a document, and what it makes.
struct element_kind {
    std::string name;
    bool is_gate;
    std::shared_ptr<element> (*make)(std::shared_ptr<retry_budget> const& budget);
    void (*enforce)(element& e, json::value const* share, std::string const& key, findings& found);
};

template <class Policy>
[[nodiscard]] element_kind gate_kind(std::string name)
{
    return {std::move(name), true,
            [](std::shared_ptr<retry_budget> const&) -> std::shared_ptr<element> {
                return std::make_shared<gate_element<Policy>>();
            },
            [](element& e, json::value const* share, std::string const& key, findings& found) {
                auto& g = static_cast<gate_element<Policy>&>(e);
                if (g.policy) g.enforce(share, key, found);
            }};
}

template <class Rule, class Options, auto Make>
[[nodiscard]] element_kind rule_kind(std::string name)
{
    return {std::move(name), false,
            [](std::shared_ptr<retry_budget> const& budget) -> std::shared_ptr<element> {
                Options base{};
                if constexpr (std::is_same_v<Rule, enough_time>) base.quantile = 0.5;
                return std::make_shared<rule_element<Rule, Options>>(Make, budget, base);
            },
            [](element& e, json::value const* share, std::string const& key, findings& found) {
                static_cast<rule_element<Rule, Options>&>(e).enforce(share, key, found);
            }};
}

[[nodiscard]] inline std::vector<element_kind> const& element_kinds()
{
    static std::vector<element_kind> const all{
        rule_kind<deadline, duration, &alone<deadline, duration>>("deadline"),
        rule_kind<attempt_timeout, duration, &alone<attempt_timeout, duration>>("attempt_timeout"),
        rule_kind<retry, retry_options, &with_budget<retry>::make<retry_options>>("retry"),
        rule_kind<hedge, hedge_options, &with_budget<hedge>::make<hedge_options>>("hedge"),
        rule_kind<enough_time, latency_quantile_options, &alone<enough_time, latency_quantile_options>>("enough_time"),
        gate_kind<token_bucket>("token_bucket"),
        gate_kind<striped_token_bucket>("striped_token_bucket"),
        gate_kind<leaky_bucket>("leaky_bucket"),
        gate_kind<warm_up>("warm_up"),
        gate_kind<fixed_window>("fixed_window"),
        gate_kind<sliding_window_limiter>("sliding_window_limiter"),
        gate_kind<sliding_window_log>("sliding_window_log"),
        gate_kind<keyed_limiter<std::string>>("keyed_limiter"),
        gate_kind<concurrency_limit>("concurrency_limit"),
        gate_kind<adaptive_limit<aimd>>("aimd"),
        gate_kind<adaptive_limit<vegas>>("vegas"),
        gate_kind<adaptive_limit<gradient2>>("gradient2"),
        gate_kind<adaptive_limit<littles_law>>("littles_law"),
        gate_kind<load_shedder>("load_shedder"),
        gate_kind<circuit_breaker>("circuit_breaker"),
        gate_kind<keyed_breakers<std::string>>("keyed_breakers"),
        gate_kind<throttle>("throttle"),
        gate_kind<chaos_gate>("chaos")};
    return all;
}

}  // namespace weir::config::detail
