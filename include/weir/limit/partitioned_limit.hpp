// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/adaptive_limit.hpp>
#include <weir/limit/limit_algorithm.hpp>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir {

template <limit_algorithm Algorithm>
struct partitioned_limit_options {
    typename Algorithm::options concurrency{};  ///< of all partitions together
    std::vector<double> shares{1};  ///< of that, by partition; each more than 0, together at most 1; 1 to 1000
    duration claim = std::chrono::seconds{1};  ///< how long a refused partition holds others off its share; at least 0
    std::string name = "partitioned_limit";    ///< the gate name in refusals; fixed at construction
};

/// One slot of one partition. Given back once: by record, or by the destructor.
/// Threads: one at a time. Lifetimes: the limit outlives it.
template <class Limit>
class [[nodiscard]] partition_slot {
public:
    partition_slot() = default;  ///< no slot
    partition_slot(Limit& limit, std::size_t partition, time_point since, std::uint32_t in_flight) noexcept
        : limit_(&limit), partition_(partition), since_(since), in_flight_(in_flight)
    {
    }
    partition_slot(partition_slot&& other) noexcept
        : limit_(std::exchange(other.limit_, nullptr)),
          partition_(other.partition_),
          since_(other.since_),
          in_flight_(other.in_flight_)
    {
    }
    partition_slot& operator=(partition_slot&& other) noexcept
    {
        if (this == &other) return *this;
        if (limit_ != nullptr) limit_->release(partition_, std::nullopt);
        limit_ = std::exchange(other.limit_, nullptr);
        partition_ = other.partition_, since_ = other.since_, in_flight_ = other.in_flight_;
        return *this;
    }
    ~partition_slot()
    {
        if (limit_ != nullptr) limit_->release(partition_, std::nullopt);
    }

    void record(outcome const& o, time_point now) noexcept
    {
        if (auto* const limit = std::exchange(limit_, nullptr))
            limit->release(partition_, detail::sample_of(o, since_, in_flight_, now));
    }

private:
    Limit* limit_ = nullptr;
    std::size_t partition_ = 0;
    time_point since_{};
    std::uint32_t in_flight_ = 0;
};

/// A concurrency limit divided among tenants, endpoints or kinds of work. Each has its share; what one leaves unused,
/// the others may have. All together never hold more slots than the limit.
///
///   weir::partitioned_limit<> limit{{.concurrency = {.limit = 100}, .shares = {0.6, 0.3}}};  // 0.1 is anybody's
///   auto slot = limit.admit(0, now);
///   weir::pipeline(limit.partition(1), ...);
///
/// A slot that is lent is not called back. Instead, a partition that is refused below its share leaves a claim: as
/// slots fall free nobody borrows them while they are claimed, so it has its share again after at most the calls that
/// were lent have ended. A claim lapses after `claim`, unless it is asked for again.
///
/// A share is rounded down to whole slots, and is at least one while the slots go around.
///
/// Refuses: errc::too_many_calls; retry_at is `now`, for a slot may fall free at any moment.
/// Throws:  constructor and reconfigure only, std::invalid_argument for shares, claim, and what the algorithm's options
///          say.
/// Threads: everything, from any thread.   It cannot be moved.   Precondition everywhere: the partition exists.
/// Cost:    a mutex and a loop over the partitions to borrow; without that loop below one's share.
/// Source:  shares as in Netflix concurrency-limits, AbstractPartitionedLimiter, which exceeds its limit to honour
///          them.
template <limit_algorithm Algorithm = fixed_limit>
class partitioned_limit {
public:
    using options = partitioned_limit_options<Algorithm>;
    using token = partition_slot<partitioned_limit>;

    /// One partition as a gate of its own, for a pipeline. Lifetimes: the limit outlives it.
    class handle {
    public:
        admission<token> admit(time_point now) noexcept { return limit_->admit(index_, now); }

    private:
        friend partitioned_limit;
        handle(partitioned_limit& limit, std::size_t index) noexcept : limit_(&limit), index_(index) {}
        partitioned_limit* limit_;
        std::size_t index_;
    };

    explicit partitioned_limit(options const& o) : algorithm_(o.concurrency), claim_(o.claim), name_(o.name)
    {
        check(o);
        parts_.resize(o.shares.size());
        for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].share = o.shares[i];
    }
    partitioned_limit(partitioned_limit const&) = delete;
    partitioned_limit& operator=(partitioned_limit const&) = delete;
    ~partitioned_limit() { assert(busy_ == 0 && "a partitioned_limit is destroyed with calls in progress"); }

    /// A slot for a call of that partition now, or a refusal; never waits.
    admission<token> admit(std::size_t partition, time_point now) noexcept
    {
        std::scoped_lock const lock{mutex_};
        auto& p = at(partition);
        auto const limit = algorithm_.limit();
        bool const own = p.busy < guaranteed(p, limit);
        auto const free = busy_ < limit ? limit - busy_ : 0;
        if (free > (own ? 0 : claimed(limit, now))) {
            if (own && p.claims > 0) --p.claims;
            ++p.busy;
            return admission<token>(std::in_place, *this, partition, now, ++busy_);
        }
        if (own) {
            if (now >= p.claims_end) p.claims = 0;
            p.claims = std::min(p.claims + 1, guaranteed(p, limit) - p.busy);
            p.claims_end = later(now, claim_);
        }
        return rejection{errc::too_many_calls, now, name_};
    }

    [[nodiscard]] handle partition(std::size_t i) noexcept { return handle{*this, i}; }

    /// Keeps the calls in progress and what was learnt. The number of partitions stays as it was constructed.
    void reconfigure(options const& o)
    {
        check(o);
        if (o.shares.size() != parts_.size())
            detail::bad_option("partitioned_limit_options.shares.size()", "what it was at construction",
                               o.shares.size());
        std::scoped_lock const lock{mutex_};
        algorithm_.reconfigure(o.concurrency);
        claim_ = o.claim;
        for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].share = o.shares[i];
    }

    [[nodiscard]] std::uint32_t limit() const
    {
        std::scoped_lock const lock{mutex_};
        return algorithm_.limit();
    }
    [[nodiscard]] std::uint32_t in_flight() const
    {
        std::scoped_lock const lock{mutex_};
        return busy_;
    }
    [[nodiscard]] std::uint32_t in_flight(std::size_t partition) const
    {
        std::scoped_lock const lock{mutex_};
        return at(partition).busy;
    }
    [[nodiscard]] std::string const& name() const noexcept { return name_; }

private:
    friend token;

    struct part {
        double share = 0;
        std::uint32_t busy = 0;
        std::uint32_t claims = 0;
        time_point claims_end = time_point::min();
    };

    static void check(options const& o)
    {
        if (o.shares.empty() || o.shares.size() > 1000)
            detail::bad_option("partitioned_limit_options.shares.size()", "from 1 to 1000", o.shares.size());
        double sum = 0;
        for (double const s : o.shares) {
            if (!(s > 0 && s <= 1)) detail::bad_option("partitioned_limit_options.shares", "in (0, 1]", s);
            sum += s;
        }
        // The sum of ten times 0.1 is a little more than 1.
        if (sum > 1 + 1e-9) detail::bad_option("partitioned_limit_options.shares together", "at most 1", sum);
        if (o.claim < duration::zero()) detail::bad_option("partitioned_limit_options.claim", "at least 0 ms", o.claim);
    }

    [[nodiscard]] part& at(std::size_t i) noexcept { return assert(i < parts_.size()), parts_[i]; }
    [[nodiscard]] part const& at(std::size_t i) const noexcept { return assert(i < parts_.size()), parts_[i]; }

    [[nodiscard]] static std::uint32_t guaranteed(part const& p, std::uint32_t limit) noexcept
    {
        return std::max(1u, static_cast<std::uint32_t>(p.share * limit + 1e-9));
    }

    /// Slots that are kept for partitions that were refused below their share.
    [[nodiscard]] std::uint32_t claimed(std::uint32_t limit, time_point now) const noexcept
    {
        std::uint64_t sum = 0;
        for (auto const& p : parts_) {
            if (p.claims == 0 || now >= p.claims_end) continue;
            auto const own = guaranteed(p, limit);
            if (own > p.busy) sum += std::min(p.claims, own - p.busy);
        }
        return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, limit));
    }

    void release(std::size_t partition, std::optional<limit_sample> const& sample) noexcept
    {
        std::scoped_lock const lock{mutex_};
        --at(partition).busy;
        --busy_;
        if (sample) algorithm_.update(*sample);
    }

    mutable mutex mutex_;
    Algorithm algorithm_;
    std::vector<part> parts_;
    std::uint32_t busy_ = 0;
    duration claim_;
    std::string const name_;
};

}  // namespace weir
