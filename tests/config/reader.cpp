// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/reader.hpp>

#include <weir/http/byte_rate.hpp>

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::config::findings;
using weir::config::purpose;
namespace json = boost::json;

namespace {

// Reads `text` over `out`; what was found, in words.
template <class T>
std::string read(std::string_view text, T& out, purpose p = purpose::change)
{
    findings found;
    weir::config::read(json::parse({text.data(), text.size()}), "k", out, found, p);
    return to_text(found);
}

template <class T>
std::string refused(std::string_view text)
{
    T out{};
    return read(text, out);
}

}  // namespace

TEST_CASE("reader: the values of each type")
{
    weir::duration d{};
    CHECK(read(R"("250ms")", d) == "");
    CHECK(d == 250ms);
    CHECK(read("0", d) == "");
    CHECK(d == 0ns);
    weir::rate r;
    CHECK(read(R"("10/min")", r) == "");
    CHECK(r == weir::rate{10, 1min});
    double x = 0;
    CHECK(read("1", x) == "");
    CHECK(x == 1);
    CHECK(read(R"("12.5%")", x) == "");
    CHECK(x == 0.125);
    CHECK(read(R"("1e3")", x) == "");
    CHECK(x == 1000);
    std::uint32_t n = 0;
    CHECK(read("4294967295", n) == "");
    CHECK(n == 4294967295u);
    CHECK(read("1e6", n) == "");
    CHECK(n == 1'000'000);
    CHECK(read(R"("42")", n) == "");
    CHECK(n == 42);
    bool b = false;
    CHECK(read("true", b) == "");
    CHECK(b);
    CHECK(read(R"("false")", b) == "");
    CHECK_FALSE(b);
    std::optional<std::uint64_t> seed = 5;
    CHECK(read("null", seed) == "");
    CHECK_FALSE(seed);
    CHECK(read("18446744073709551615", seed) == "");
    CHECK(seed == 18446744073709551615u);
    std::vector<double> shares;
    CHECK(read(R"([0.5, "25%"])", shares) == "");
    CHECK(shares == std::vector<double>{0.5, 0.25});
    std::map<std::string, std::uint32_t> weights;
    CHECK(read(R"({"a": 1, "b": "2"})", weights) == "");
    CHECK(weights == std::map<std::string, std::uint32_t>{{"a", 1}, {"b", 2}});
}

TEST_CASE("reader: a value of a wrong type says what would be right")
{
    CHECK(refused<weir::duration>("250").find("k = 250: has no unit: write a number and a unit of ns,") == 0);
    CHECK(refused<weir::duration>("2.5").find("k = 2.5: has no unit: ") == 0);
    CHECK(refused<weir::duration>("\"2 w\"").find("k = \"2 w\": has an unknown unit: ") == 0);
    CHECK(refused<weir::duration>("true") == "k = true: must be a duration, as in \"250ms\" or \"1h30m\"");
    CHECK(refused<weir::rate>("500") == "k = 500: must be a rate, as in \"500/s\" or \"10/min\"");
    CHECK(refused<weir::rate>("\"500\"").find("k = \"500\": is a number without a time, and no rate: ") == 0);
    CHECK(refused<weir::rate>("{}") == "k = {}: must be a rate, as in \"500/s\" or \"10/min\"");
    CHECK(refused<double>("[1]") == "k = [...]: must be a number, as in 0.5 or \"50%\"");
    CHECK(refused<double>(R"("half")") == "k = \"half\": is not a number: write it as in 0.25");
    CHECK(refused<unsigned>("-1") == "k = -1: must not be negative");
    CHECK(refused<unsigned>("1.5") == "k = 1.5: must be a whole number, as in 100");
    CHECK(refused<unsigned>("1e300") == "k = 1e+300: must be a whole number, as in 100");
    CHECK(refused<unsigned>("0.5") == "k = 0.5: must be a whole number, as in 100");
    CHECK(refused<bool>("1e5") == "k = 100000: must be true or false");
    CHECK(refused<bool>("-0.0001") == "k = -0.0001: must be true or false");
    CHECK(refused<bool>("-1.2345678901234567e-6") == "k = -0.0000012345678901234567: must be true or false");
    CHECK(refused<bool>("0.0") == "k = 0: must be true or false");
    CHECK(refused<std::uint16_t>("65536") == "k = 65536: must be at most 65535");
    CHECK(refused<bool>("1") == "k = 1: must be true or false");
    CHECK(refused<bool>(R"("on")") == "k = \"on\": is neither: write true or false");
    CHECK(refused<std::string>("1") == "k = 1: must be text in quotes");
    CHECK(refused<std::vector<double>>("1") == "k = 1: must be a list, as in [1, 2]");
    CHECK(refused<std::vector<double>>(R"([1, "x"])").find("k[1] = \"x\": ") == 0);
    CHECK(refused<weir::token_bucket_options>("[]") == "k = []: must be an object, as in {\"name\": value}");
}

TEST_CASE("reader: a backoff is read as a whole")
{
    auto b = weir::constant(1s);
    CHECK(read(R"({"base": "50ms", "max": "2s"})", b) == "");
    CHECK(b == weir::exponential(50ms, 2s));
    CHECK(read(R"({"kind": "linear", "base": "10ms", "max": "1s", "jitter": "equal"})", b) == "");
    CHECK(b == weir::linear(10ms, 1s).with(weir::jitter::equal));
    CHECK(read(R"({"kind": "constant", "base": "1m", "jitter": "decorrelated"})", b) == "");
    CHECK(b == weir::constant(1min).with(weir::jitter::decorrelated));
    CHECK(read(R"({"jitter": "ful"})", b) == "k = {...}: jitter \"ful\" is unknown; did you mean \"full\"?");
    CHECK(read(R"({"kind": "fibonacci"})", b).find("there is exponential, linear, constant") != std::string::npos);
    CHECK(read(R"({"base": "2s", "max": "1s"})", b) ==
          "k = {...}: backoff.max must be at least the first delay, and is 1000 ms");
    CHECK(b == weir::constant(1min).with(weir::jitter::decorrelated));
}

TEST_CASE("reader: windows and delays of either kind, over what they were")
{
    weir::outcome_window w = weir::time_window{.length = 30s, .buckets = 15};
    CHECK(read(R"({"length": "1m"})", w) == "");
    CHECK(w == weir::outcome_window{weir::time_window{.length = 1min, .buckets = 15}});
    CHECK(read(R"({"calls": 50})", w) == "");
    CHECK(w == weir::outcome_window{weir::count_window{50}});
    CHECK(read(R"({"calls": 50, "length": "1m"})", w).find("k.length: is unknown") == 0);
    CHECK(read("7", w).find("as in {\"calls\": 100} or") != std::string::npos);

    weir::hedge_options h;
    CHECK(read(R"({"delay": "50ms", "max_extra": 2})", h) == "");
    CHECK(std::get<weir::duration>(h.delay) == 50ms);
    CHECK(read(R"({"delay": {"quantile": 0.99}})", h) == "");
    CHECK(std::get<weir::latency_quantile_options>(h.delay).quantile == 0.99);
    CHECK(h.max_extra == 2);
}

TEST_CASE("reader: what is not named keeps its value, and every fault is found")
{
    weir::token_bucket_options o{.rate = weir::per_second(7), .burst = 3, .lease = 1us, .name = "mine"};
    CHECK(read(R"({"burst": 5})", o) == "");
    CHECK(o.rate == weir::per_second(7));
    CHECK(o.burst == 5);
    auto const all = read(R"({"rate": 5, "burst": "x", "leese": 1})", o);
    CHECK(all.find("k.rate = 5: ") == 0);
    CHECK(all.find("; k.burst = \"x\": ") != std::string::npos);
    CHECK(all.find("; k.leese: is unknown; did you mean \"lease\"?") != std::string::npos);
}

TEST_CASE("reader: what only construction sets can be read for construction, and stays in a change")
{
    weir::circuit_breaker_options o;
    CHECK(read(R"({"name": "db", "seed": 7})", o, purpose::construction) == "");
    CHECK(o.name == "db");
    CHECK(read(R"({"name": "db", "seed": 7})", o) == "");
    CHECK(read(R"({"name": "x"})", o) == "k.name = \"x\": is set at construction and cannot be changed");
    CHECK(o.name == "db");
}

TEST_CASE("reader: sizes and their rates have units")
{
    weir::http::byte_rate_options o;
    CHECK(read(R"({"read": "10MiB/s", "write": 1000, "transfer": "64KiB", "burst": "500ms"})", o) == "");
    CHECK(o.read == 10u << 20);
    CHECK(o.write == 1000);
    CHECK(o.transfer == 65536);
    CHECK(read(R"({"read": "10MiB"})", o).find("k.read = \"10MiB\": is not bytes per second") == 0);
    CHECK(read(R"({"transfer": "64QB"})", o).find("k.transfer = \"64QB\": ") == 0);
}

TEST_CASE("reader: long values are cut in sentences")
{
    CHECK(refused<weir::duration>('"' + std::string(1000, 'x') + '"').size() < 400);
}
