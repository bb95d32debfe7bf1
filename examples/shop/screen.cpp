// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "screen.hpp"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

namespace shop {

namespace {

constexpr char const* bold = "1";
constexpr char const* dim = "2";
constexpr char const* red = "31";
constexpr char const* green = "32";
constexpr char const* yellow = "33";
constexpr char const* cyan = "36";
constexpr std::size_t events_shown = 6;
constexpr std::size_t history = 60;  // pictures; a quarter of a second each

[[gnu::format(printf, 1, 2)]] std::string format(char const* pattern, ...)
{
    char text[256];
    std::va_list args;
    va_start(args, pattern);
    std::vsnprintf(text, sizeof text, pattern, args);
    va_end(args);
    return text;
}

std::string sparkline(std::deque<double> const& values, double top)
{
    static char const* const steps[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    std::string line;
    for (double const v : values)
        line += steps[std::clamp(static_cast<int>(std::lround(v / top * 7)), 0, 7)];
    return line;
}

struct extent {
    std::size_t width, height;
};

extent terminal() noexcept
{
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {80, 24};
    return {size.ws_col, size.ws_row};
}

// So much of `line` as takes `columns` of the terminal, and all of its colours. A line that wraps is two lines, and the
// next picture would begin one line too low.
std::string cut(std::string const& line, std::size_t columns)
{
    std::string kept;
    std::size_t used = 0;
    for (std::size_t i = 0; i < line.size();) {
        auto const begin = i++;
        bool const colour = line[begin] == '\033';
        if (colour) i = std::min(line.find('m', begin), line.size() - 1) + 1;
        else
            while (i < line.size() && (line[i] & 0xC0) == 0x80) ++i;  // the rest of a character in UTF-8
        if (colour || used++ < columns) kept.append(line, begin, i - begin);
    }
    return kept;
}

}  // namespace

bool is_terminal() noexcept
{
    auto const* const term = std::getenv("TERM");
    return ::isatty(STDOUT_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

bool wants_colours() noexcept
{
    auto const* const no = std::getenv("NO_COLOR");
    return is_terminal() && (no == nullptr || *no == '\0');
}

screen::screen(bool live, bool colours, story const& s, std::uint64_t seed)
    : live_(live), colours_(colours), story_(s), seed_(seed)
{
    if (live_) std::fputs("\033[?25l", stdout);  // no cursor over the moving figures
}

std::string screen::paint(char const* colour, std::string text) const
{
    return colours_ ? std::string("\033[") + colour + "m" + text + "\033[0m" : text;
}

std::string screen::bar(double filled) const
{
    int const full = std::clamp(static_cast<int>(std::lround(filled * 12)), 0, 12);
    std::string line;
    for (int i = 0; i < 12; ++i) line += i < full ? "█" : "░";
    return paint(filled < 0.2 ? yellow : green, line) + format(" %3.0f %%", filled * 100);
}

void screen::event(arm which, double at, std::string const& text)
{
    if (!live_) {
        std::printf("t=%04.1f  %-8s  %s\n", at, name_of(which), text.c_str());
        std::fflush(stdout);
        return;
    }
    turn_to(which);
    events_.push_back(format("t=%04.1f  %s", at, text.c_str()));
    if (events_.size() > events_shown) events_.pop_front();
}

// The other arm begins with an empty page.
void screen::turn_to(arm which)
{
    if (which == arm_) return;
    arm_ = which;
    served_.clear();
    events_.clear();
}

void screen::draw(frame const& f)
{
    if (!live_) return;
    turn_to(f.which);
    served_.push_back(f.served);
    if (served_.size() > history) served_.pop_front();

    std::vector<std::string> lines;
    auto const add = [&](std::string line) { lines.push_back(std::move(line)); };
    bool const bare = f.which == arm::bare;
    auto const& a = story_.act_at(f.at);

    add(paint(bold, "weir shop") + format("   seed %llu   ", static_cast<unsigned long long>(seed_)) +
        paint(bare ? yellow : cyan, bare ? "bare: plain calls, three tries" : "governed: through a weir pipeline") +
        format("   %4.1f of %.0f s", f.at, story_.length()));
    add("");
    std::string acts;
    for (auto const& each : story_.acts) {
        std::string const name{each.name};
        acts += &each == &a ? paint("7", " " + name + " ") : paint(each.end <= f.at ? dim : "0", " " + name + " ");
        acts += " ";
    }
    add(acts);
    bool const settling = a.end > a.until && f.at >= a.until;
    add(format("  %s", settling ? "the fault is over; how long until all is well?" : std::string(a.says).c_str()) +
        paint(dim, format("   %.0f s left", std::ceil(std::max(0.0, (settling ? a.end : a.until) - f.at)))));
    add("");
    add(format("orders/s   in %4.0f   served ", f.come) + paint(green, format("%4.0f", f.served)) +
        "   refused " + paint(f.refused > 0 ? yellow : "0", format("%4.0f", f.refused)) + "   failed " +
        paint(f.failed > 0 ? red : "0", format("%4.0f", f.failed)) + format("   waiting %5zu", f.waiting));
    add(format("latency    p50 %4.0f ms   p99 ", f.p50_ms) +
        paint(f.p99_ms > 500 ? red : "0", format("%4.0f ms", f.p99_ms)) +
        format("   requests to the inventory %4.0f/s of %.0f", f.tries, capacity));
    add("served     " + paint(green, sparkline(served_, capacity)));
    if (bare) {
        add("limiter    none                 budget none                 breaker none");
        add("");
        add(paint(dim, "(asks the registry before every call, takes the instances in turn)"));
    }
    else {
        auto const& b = f.state.breaker;
        add("limiter    " + bar(f.state.limiter) + "   budget " + bar(f.state.budget) + "   breaker " +
            paint(b == "closed" ? green : b == "open" ? red : yellow, b.empty() ? "?" : b));
        add("");
        add(paint(dim, "instance          address            in flight   latency seen"));
        for (std::size_t i = 0; i < f.state.instances.size(); ++i) {
            auto const& s = f.state.instances[i];
            add(format("%-16s  %-17s  %9u   ", s.id.c_str(), f.addresses[i].c_str(), s.in_flight) +
                paint(s.ewma_ms > 200 ? red : "0", format("%8.0f ms", s.ewma_ms)));
        }
    }
    while (lines.size() < 17) add("");
    for (auto const& e : events_) add(paint(dim, e));

    // The cursor wants a line below the picture, and its last column stays free. What is too much are events, the
    // oldest first, and then the lines at the bottom.
    auto const [width, height] = terminal();
    auto const room = height - 1;
    while (lines.size() > std::max<std::size_t>(room, 17)) lines.erase(lines.begin() + 17);
    if (lines.size() > room) lines.resize(room);
    bool const resized = drawn_ > 0 && (width != width_ || height != height_);
    width_ = width;
    height_ = height;

    std::string out = resized ? "\033[2J\033[H" : drawn_ > 0 ? format("\033[%dA\r", drawn_) : std::string();
    for (auto const& l : lines) out += cut(l, width - 1) + "\033[K\n";
    out += "\033[J";
    drawn_ = static_cast<int>(lines.size());
    std::fputs(out.c_str(), stdout);
    std::fflush(stdout);
}

void screen::close()
{
    if (live_) std::fputs("\033[?25h", stdout);
    std::fflush(stdout);
    live_ = false;
}

std::string screen::cells(act const& a, row const& r) const
{
    auto const ms = [](double v) { return v > 0 ? format("%6.0f ", v) : std::string("     - "); };
    // An act without a fault has nothing to come back from.
    bool const faulty = a.end > a.until;
    auto const back = !faulty ? std::string("    -") : r.back ? format("%5.1f", *r.back) : std::string("never");
    return format("%6.1f %7.1f %5.0f ", r.ok_percent, r.refused_percent, r.ok_rate) + ms(r.p50_ms) + ms(r.p99_ms) +
           format("%5.2f ", r.tries) + back + "  " + paint(r.pass ? green : red, r.pass ? "PASS" : "FAIL");
}

void screen::rows(std::vector<arm_rows> const& arms) const
{
    std::string names = format("%-11s", ""), heads = format("%-11s", "act"), units = format("%-11s", "");
    for (auto const& [which, each] : arms) {
        names += "  | " + format("%-52s", name_of(which));
        heads += "  |     ok refused    ok    p50    p99 tries  back      ";
        units += "  |      %       %    /s     ms     ms   per     s      ";
    }
    std::printf("\n%s\n%s\n%s\n", paint(bold, names).c_str(), heads.c_str(), units.c_str());
    for (std::size_t i = 0; i < story_.acts.size(); ++i) {
        auto const& a = story_.acts[i];
        std::string line = format("%-11s", std::string(a.name).c_str());
        for (auto const& [which, each] : arms) line += "  | " + cells(a, (*each)[i]);
        std::puts(line.c_str());
    }
}

void screen::table(std::vector<row> const& bare, std::vector<row> const& governed) const
{
    std::vector<arm_rows> arms;
    if (!bare.empty()) arms.emplace_back(arm::bare, &bare);
    if (!governed.empty()) arms.emplace_back(arm::governed, &governed);
    if (::isatty(STDOUT_FILENO) == 1 && terminal().width < 124)
        for (auto const& one : arms) rows({one});
    else
        rows(arms);
    std::puts("");
    for (auto const& [which, each] : arms)
        for (std::size_t i = 0; i < each->size(); ++i)
            if (!(*each)[i].pass)
                std::printf("%-8s  %-11s  FAIL: %s\n", name_of(which), std::string(story_.acts[i].name).c_str(),
                            (*each)[i].why.c_str());
    std::printf("\nok: of the orders not refused, served within %.0f s. refused: told at once to\n"
                "come back later. tries: requests to the inventory per order. back: from the end\n"
                "of the fault until all is well; never: the operator had to restart everything.\n"
                "Latency counts from when the customer came.\n",
                patience);
    std::fflush(stdout);
}

}  // namespace shop
