// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>
#include <weir/telemetry/metrics.hpp>

#include <charconv>
#include <cmath>
#include <initializer_list>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace weir::telemetry {

/// Statuses as a page that Prometheus reads (text format 0.0.4), made anew for each time it asks:
///
///   weir::telemetry::prometheus page;
///   page.add("weir_watch", watch.status(), now, {{"service", "orders"}});
///   answer.body() = page.text();          // Content-Type: text/plain; version=0.0.4
///
/// gives weir_watch_connected, weir_watch_age_seconds, weir_watch_answers_total and so on, those of one name together
/// whatever the order of adding.
/// Throws:  std::invalid_argument where the prefix or the name of a label is none; std::bad_alloc.   Threads: none.
class prometheus {
public:
    using labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    template <class Status>
    void add(std::string_view prefix, Status const& status, time_point now, labels const& l = {})
    {
        auto const of = in_braces(l);
        check_name(prefix, true);
        visit(status, now, [&](metric const& m) {
            bool const counter = m.what == metric::kind::counter;
            auto name = std::string(prefix) + '_' + std::string(m.name);
            if (!m.unit.empty()) name += '_' + std::string(m.unit);
            if (counter) name += "_total";
            auto& family = families_[name];
            if (family.empty()) family = "# TYPE " + name + (counter ? " counter\n" : " gauge\n");
            family += name + of + ' ' + number(m.value) + '\n';
        });
    }

    [[nodiscard]] std::string text() const
    {
        std::string page;
        for (auto const& [name, family] : families_) page += family;
        return page;
    }

private:
    static void check_name(std::string_view name, bool colon)
    {
        auto const fits = [&](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
        };
        bool good = !name.empty();
        for (auto const& c : name) good = good && (fits(c) || (c >= '0' && c <= '9' && &c != name.data()));
        if (!good) throw std::invalid_argument("weir: no name for Prometheus: \"" + std::string(name) + '"');
    }

    static std::string in_braces(labels const& l)
    {
        std::string out;
        for (auto const& [name, value] : l) {
            check_name(name, false);
            (out += out.empty() ? '{' : ',') += std::string(name) + "=\"";
            for (char const c : value) {
                if (c == '\\' || c == '"') out += '\\';
                out += c == '\n' ? "\\n" : std::string(1, c);
            }
            out += '"';
        }
        return out.empty() ? out : out + '}';
    }

    static std::string number(double value)
    {
        if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
        char digits[32];
        return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
    }

    std::map<std::string, std::string> families_;
};

}  // namespace weir::telemetry
