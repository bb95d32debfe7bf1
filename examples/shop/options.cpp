// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "options.hpp"

#include <charconv>
#include <optional>
#include <string_view>

namespace shop {

namespace {

template <class Number>
std::optional<Number> number(std::string_view text)
{
    Number value{};
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::uint16_t port_number(std::string const& flag, std::string_view text)
{
    auto const port = number<std::uint16_t>(text);
    if (!port || *port == 0)
        throw usage_error(flag + " wants a port from 1 to 65535, not '" + std::string(text) + "'");
    return *port;
}

void set_arm(options& o, std::string const& value)
{
    if (value != "both" && value != "bare" && value != "governed")
        throw usage_error("--arm wants both, bare or governed, not '" + value + "'");
    o.bare = value != "governed";
    o.governed = value != "bare";
}

void set_registry(options& o, std::string const& value)
{
    if (value == "memory") return;
    auto const wrong = [&] {
        return usage_error("--registry wants 'memory' or a URL like consul://127.0.0.1:8500, not '" + value + "'");
    };
    std::string_view rest = value;
    std::string_view const scheme = "consul://";
    if (!rest.starts_with(scheme)) throw wrong();
    rest.remove_prefix(scheme.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
    auto const colon = rest.rfind(':');
    if (colon == std::string_view::npos || rest.find_first_of("/?#@ ") != std::string_view::npos) throw wrong();
    auto const port = number<std::uint16_t>(rest.substr(colon + 1));
    auto host = rest.substr(0, colon);
    bool const bracketed = host.starts_with('[') && host.ends_with(']');  // an address of IPv6 stands in brackets
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (!port || *port == 0 || host.empty() || bracketed != (host.find(':') != std::string_view::npos)) throw wrong();
    o.registry_host = host;
    o.registry_port = *port;
}

}  // namespace

options parse_options(int argc, char const* const* argv)
{
    options o;
    for (int i = 1; i < argc; ++i) {
        std::string flag = argv[i];
        std::optional<std::string> given;
        if (auto const equals = flag.find('='); flag.starts_with("--") && equals != std::string::npos) {
            given = flag.substr(equals + 1);
            flag.resize(equals);
        }
        auto const value = [&]() -> std::string {
            if (!given && i + 1 < argc) given = argv[++i];
            if (!given || given->empty()) throw usage_error(flag + " wants a value; see shop --help");
            return *given;
        };
        auto const no_value = [&] {
            if (given) throw usage_error(flag + " takes no value, but got '" + *given + "'");
            return true;
        };

        if (flag == "--help" || flag == "-h") o.help = no_value();
        else if (flag == "--fast") o.fast = no_value();
        else if (flag == "--plain") o.plain = no_value();
        else if (flag == "--seed") {
            auto const text = value();
            auto const seed = number<std::uint64_t>(text);
            if (!seed) throw usage_error("--seed wants a whole number from 0 up, not '" + text + "'");
            o.seed = *seed;
        }
        else if (flag == "--arm") set_arm(o, value());
        else if (flag == "--port") o.port = port_number(flag, value());
        else if (flag == "--registry") set_registry(o, value());
        else if (flag == "--report") o.report = value();
        else if (flag == "--role") {
            o.role = value();
            if (o.role != "inventory" && o.role != "order")
                throw usage_error("--role wants inventory or order, not '" + o.role + "'");
        }
        else if (flag == "--name") o.name = value();
        else if (flag == "--service") o.service = value();
        else throw usage_error("unknown option '" + std::string(argv[i]) + "'; shop --help lists those there are");
    }
    if (!o.role.empty() && (o.registry_port == 0 || o.service.empty()))
        throw usage_error("--role is how the shop starts its own processes; it also wants --registry and --service");
    return o;
}

char const* help_text() noexcept
{
    return R"(shop: an order service calls three inventory instances, and things go wrong.

The same seeded story is played twice, once with plain HTTP calls and three immediate tries (bare), once
through a weir pipeline (governed), and ends in one table. It takes about a minute.

  --seed N            arrivals and service times; the same seed is the same story   (1)
  --arm WHICH         both, bare or governed                                        (both)
  --fast              a story of ten seconds per arm, for continuous integration
  --registry WHERE    memory, or consul://HOST:PORT of a running Consul             (memory)
  --port N            where the order service listens; if taken, the next free one  (8080)
  --report FILE       the HTML report                                               (shop-report.html)
  --plain             one line per event, also on a terminal
  --help              this text

While it runs:  curl http://127.0.0.1:8080/order/42
Exit status:    0  the governed arm passed every act, and the bare arm failed where it is known to fail
                1  it did not turn out that way        2  wrong usage        3  could not run
)";
}

}  // namespace shop
