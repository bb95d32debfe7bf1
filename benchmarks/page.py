# Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
"""The page of a benchmark run: one HTML file with nothing to load, its charts drawn here as SVG."""

import html
import math
import pathlib

# Colours, by day and by night, and text in drawings; a drawing that stands alone needs no more.
STYLE = """
:root { --ink: #1c2733; --soft: #5d6b7a; --line: #dde3ea; --ground: #f6f8fa; --card: #fff; --demand: #cdd6df;
  --good: #1a7f4b; --bad: #b4431f; --c0: #0b6fa4; --c1: #d9771c; --c2: #2f8f5b; --c3: #8a55b0; --c4: #b3364b;
  --c5: #6b7280; --c6: #0e9a9a; --c7: #a07d12 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4eaf0; --soft: #93a1b0; --line: #2c3845; --ground: #11171e; --card: #19222c; --demand: #3a4754;
    --good: #4cc38a; --bad: #f0805a; --c0: #5fb4e6; --c1: #f2a65a; --c2: #63c794; --c3: #c39be3; --c4: #ee7f90;
    --c5: #a3adba; --c6: #4fd0d0; --c7: #d9bb52 }
}
svg text { font: 12px system-ui, sans-serif; fill: var(--soft) }
svg text.title { fill: var(--ink); font-weight: 600; font-size: 14px }
"""
PAGE_STYLE = pathlib.Path(__file__).with_name("page.css")
SMALL = {0: "", 3: "k", 6: "M", 9: "G"}


def esc(text):
    return html.escape(str(text))


def short(value):
    """1500000 -> 1.5M"""
    if value == 0:
        return "0"
    power = min(9, max(0, 3 * int(math.floor(math.log10(abs(value)) / 3 + 1e-9))))
    return f"{value / 10 ** power:.3g}{SMALL[power]}"


def number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"


class Scale:
    """From values to places on paper, and the values worth a mark."""

    def __init__(self, values, places, log, zero=False):
        self.log = log
        low, high = min(values), max(values)
        if log:
            self.marks = [m * 10 ** p for p in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
                          for m in ((1, 2, 5) if high / low < 200 else (1,))]
            below = [m for m in self.marks if m <= low * 1.0001]
            above = [m for m in self.marks if m >= high * 0.9999]
            low, high = below[-1] if below else low, above[0] if above else high
        else:
            if zero:
                low = min(0, low)
            step = 10 ** math.floor(math.log10((high - low or 1) / 4))
            step *= next(m for m in (1, 2, 5, 10) if (high - low or 1) / (step * m) <= 5)
            high = math.ceil(high / step - 1e-9) * step
            self.marks = [low + i * step for i in range(round((high - low) / step) + 1)]
        self.marks = [m for m in self.marks if low * 0.999 <= m <= high * 1.001 or m == 0]
        self.low, self.high, self.places = self._of(low), self._of(high), places

    def _of(self, value):
        return math.log10(value) if self.log else value

    def __call__(self, value):
        share = (self._of(value) - self.low) / ((self.high - self.low) or 1)
        return self.places[0] + share * (self.places[1] - self.places[0])


def line_chart(title, x_label, y_label, series, log_x=False, log_y=False, x_marks=None):
    """series: [(name, [(x, y)...])]"""
    width, height, left, right, top, bottom = 540, 310, 52, 158, 50, 44
    xs = [x for _, points in series for x, _ in points]
    ys = [y for _, points in series for _, y in points]
    if not xs:
        return ""
    x, y = Scale(xs, (left, width - right), log_x), Scale(ys, (height - bottom, top), log_y, zero=True)
    out = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{esc(title)}">'
           f'<text class="title" x="0" y="16">{esc(title)}</text><text x="0" y="33">{esc(y_label)}</text>']
    for mark in y.marks:
        out.append(f'<line class="axis" x1="{left}" x2="{width - right}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>'
                   f'<text x="{left - 6}" y="{y(mark) + 4:.1f}" text-anchor="end">{short(mark)}</text>')
    for mark in x_marks or x.marks:
        out.append(f'<text x="{x(mark):.1f}" y="{height - bottom + 18}" text-anchor="middle">{short(mark)}</text>')
    out.append(f'<text x="{(left + width - right) / 2}" y="{height - 8}" text-anchor="middle">{esc(x_label)}</text>')
    # Names stand at the ends of the lines, moved apart where they would cover each other.
    ends = sorted(((y(points[-1][1]), i) for i, (_, points) in enumerate(series)))
    place, last = {}, -1e9
    for at, i in ends:
        last = place[i] = max(at, last + 15)
    over = last - (height - bottom)
    for i in place:
        place[i] -= max(0, over)
    for i, (name, points) in enumerate(series):
        color = f"var(--c{i % 8})"
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2.2" '
                   f'stroke-linejoin="round"/>')
        for a, b in points:
            out.append(f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3.2" fill="{color}">'
                       f'<title>{esc(name)}: {short(a)}, {number(b)}</title></circle>')
        out.append(f'<text x="{width - right + 8}" y="{place[i] + 4:.1f}" style="fill:{color}">{esc(name)}</text>')
    return "".join(out) + "</svg>"


def shape_chart(name, admitted, demand, promised, width=360, height=150):
    """Requests in each slice: those that asked, behind those that passed."""
    left, right, top, bottom = 8, 8, 26, 22
    step = demand[1][0] - demand[0][0]
    x = Scale([0, demand[-1][0] + step], (left, width - right), False)
    y = Scale([0, max(n for _, n in demand)], (height - bottom, top), False)
    wide = x(step) - x(0)
    out = [f'<g><title>{esc(name)}</title><text class="title" x="{left}" y="15">{esc(name)}</text>']
    asked = f"M{x(0):.1f} {y(0):.1f}" + "".join(
        f"V{y(n):.1f}H{x(t + step):.1f}" for t, n in demand) + f"V{y(0):.1f}z"
    passed = "".join(f"M{x(t) + 0.5:.1f} {y(0):.1f}V{y(n):.1f}h{wide - 1:.1f}V{y(0):.1f}z" for t, n in admitted if n)
    out.append(f'<path d="{asked}" fill="var(--demand)"/><path d="{passed}" fill="var(--c0)"/>')
    out.append(f'<line x1="{left}" x2="{width - right}" y1="{y(promised):.1f}" y2="{y(promised):.1f}" '
               f'stroke="var(--c1)" stroke-dasharray="4 3"/>')
    for second in range(0, math.floor(demand[-1][0] + step) + 1):
        out.append(f'<text x="{min(max(x(second), left + 8), width - right - 8):.1f}" y="{height - 6}" '
                   f'text-anchor="middle">{second} s</text>')
    return "".join(out) + "</g>"


def shapes(found):
    """(name, drawing) of each limiter, from the series "shape" of a run."""
    series = {s["name"]: s["points"] for s in found["series"] if s["chart"] == "shape"}
    demand = series.pop("demand", None)
    if not demand:
        return []
    promised = 100 * (demand[1][0] - demand[0][0])  # at 100 per second
    return [(name, shape_chart(name, points, demand, promised)) for name, points in series.items()]


def shapes_svg(found):
    """The drawings side by side, as a file of its own."""
    all_of = shapes(found)
    columns, width, height = 2, 372, 158
    rows = math.ceil(len(all_of) / columns)
    placed = "".join(f'<g transform="translate({i % columns * width},{i // columns * height})">{drawing}</g>'
                     for i, (_, drawing) in enumerate(all_of))
    legend = (f'<g transform="translate(8,{rows * height + 14})">'
              f'<rect width="12" height="12" y="-10" fill="var(--demand)"/><text x="18">asked</text>'
              f'<rect x="70" width="12" height="12" y="-10" fill="var(--c0)"/>'
              f'<text x="88">admitted, in each 50 ms</text><line x1="252" x2="276" y1="-4" y2="-4" stroke="var(--c1)" '
              f'stroke-dasharray="4 3"/><text x="282">the rate, 100 per second</text></g>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * width} {rows * height + 26}">'
            f'<style>{STYLE}</style>{placed}{legend}</svg>\n')


def cumulative_chart(found):
    """Admitted so far, beside what rate * t + burst allows."""
    series = {s["name"]: s["points"] for s in found["series"] if s["chart"] == "shape"}
    if "demand" not in series:
        return ""
    step = series["demand"][1][0] - series["demand"][0][0]
    lines = []
    for name, points in series.items():
        total, sums = 0, [(0.0, 0.0)]
        for t, n in points:
            total += n
            sums.append((t + step, total))
        lines.append((name if name != "demand" else "asked", sums[::5]))
    end = lines[0][1][-1][0]
    lines.append(("allowed: 100 t + 30", [(0, 30), (end, 100 * end + 30)]))
    return line_chart("Admitted and allowed, so far", "seconds", "requests", lines)


def bar_rows(bars):
    out = []
    for bar in bars:
        value, limit = bar["value"], bar["limit"]
        if value is None:
            drawn, verdict = "", '<span>not measured</span>'
        else:
            # The promise is a mark in the middle; right of it is worse.
            share = (value / limit if bar["at_most"] else limit / value if value else 2) if limit else 2 * bool(value)
            share = min(share, 2)
            kind = "good" if bar["met"] else "bad"
            drawn = (f'<svg class="bar" viewBox="0 0 160 16"><rect y="4" width="160" height="8" rx="4" '
                     f'fill="var(--line)"/><rect y="4" width="{max(2, 80 * share):.0f}" height="8" rx="4" '
                     f'fill="var(--{kind})"/>'
                     f'<line x1="80" x2="80" y1="0" y2="16" stroke="var(--ink)" stroke-width="1.5"/></svg>')
            verdict = f'<b class="{kind}">{"ok" if bar["met"] else "missed"}</b>'
        sign = "≤" if bar["at_most"] else "≥"
        note = f'<small>{esc(bar["note"])}</small>' if bar["note"] else ""
        out.append(f'<tr><td>{esc(bar["name"])}{note}</td><td class="n">{number(value)} {esc(bar["unit"])}</td>'
                   f'<td>{drawn}</td><td class="n">{sign} {bar["limit"]:g} {esc(bar["unit"])}</td><td>{verdict}</td>'
                   f'<td><small>{esc(bar["moonshot"])}</small></td></tr>')
    return "".join(out)


def figure_tables(found):
    out = []
    for program in dict.fromkeys(row["program"] for row in found["rows"]):
        rows = []
        for row in found["rows"]:
            if row["program"] != program:
                continue
            kind = ' class="floor"' if row["name"] == row["floor"] else ""
            rows.append(f'<tr{kind}><td>{esc(row["name"])}</td><td class="n">{row["threads"]}</td>'
                        f'<td class="n">{number(row["ns"])}</td>'
                        f'<td class="n">{number(row["per_second"] / 1e6) if row["per_second"] else ""}</td>'
                        f'<td class="n">{row["scatter"]:.1%}</td><td>{esc(row["floor"] or "")}</td>'
                        f'<td class="n">{number(row["ratio"])}</td></tr>')
        out.append(f'<details><summary>{esc(program)}</summary><div class="card"><table><tr><th>figure</th>'
                   f'<th class="n">threads</th><th class="n">ns</th><th class="n">M/s</th><th class="n">scatter</th>'
                   f'<th>floor</th><th class="n">× floor</th></tr>{"".join(rows)}</table></div></details>')
    return "".join(out)


def charts(found):
    def of(chart):
        return [(s["name"], s["points"]) for s in found["series"] if s["chart"] == chart]

    out = []
    if threads := of("threads"):
        marks = sorted({x for _, points in threads for x, _ in points})
        out.append(line_chart("Throughput by threads", "threads", "million decisions a second, all threads", threads,
                              log_x=len(marks) > 1, log_y=True, x_marks=marks))
    if rate := of("rate"):
        out.append(line_chart("Cost by rate: token_bucket", "the limit, permits a second", "ns, to admit, one thread",
                              rate, log_x=True))
    if memory := of("memory"):
        out.append(line_chart("Memory by keys: keyed_limiter", "live keys", "bytes for each", memory, log_x=True))
    if keyed := of("keyed"):
        out.append(line_chart("Cost by keys: keyed_limiter", "live keys", "ns, one thread", keyed, log_x=True))
    out.append(cumulative_chart(found))
    return "".join(f'<figure class="card">{chart}</figure>' for chart in out if chart)


def peer_section(found):
    if not found["peers"]:
        return ""
    rows = "".join(f'<tr><td>{esc(p["library"])}</td><td>{esc(p["name"])}</td><td class="n">{p["threads"]}</td>'
                   f'<td class="n">{number(p["ns"])}</td><td class="n">{number(p["per_second"] / 1e6)}</td></tr>'
                   for p in found["peers"])
    return (f'<h2>Peers</h2><p>Processes in turn, three rounds, on this machine; medians. The others as Debian '
            f'packages them.</p><div class="card"><table><tr><th>library</th><th>what</th><th class="n">threads</th>'
            f'<th class="n">ns</th><th class="n">M/s</th></tr>{rows}</table></div>')


def comparison_section(found):
    compared = found.get("compared")
    if not compared:
        return ""
    changed = [row for row in compared["rows"] if row["change"]]
    rows = "".join(f'<tr><td>{esc(row["name"])}</td><td class="n">{row["threads"]}</td>'
                   f'<td class="n">{row["ratio"]:.2f}</td><td class="n">± {row["band"]:.0%}</td>'
                   f'<td class="{"bad" if row["change"] == "slower" else "good"}">{row["change"]}</td></tr>'
                   for row in changed)
    table = (f'<div class="card"><table><tr><th>figure</th><th class="n">threads</th><th class="n">now / then</th>'
             f'<th class="n">noise</th><th></th></tr>{rows}</table></div>') if changed else ""
    return (f'<h2>Against {esc(compared["when"])}</h2><p>{len(compared["rows"]) - len(changed)} of '
            f'{len(compared["rows"])} rows are within the noise of both runs. An empty loop took '
            f'{compared["rate"]:.2f} of what it took then{"" if compared["same"] else ", on another processor"}; that '
            f'is taken out.</p>{table}')


def of(found):
    """The whole page."""
    m = found["machine"]
    met = sum(bar["met"] is True for bar in found["bars"])
    judged = sum(bar["met"] is not None for bar in found["bars"])
    noise = max(found["noise"].values(), default=0)
    drawn = "".join(f'<figure class="card"><svg viewBox="0 0 360 150" role="img">{drawing}</svg></figure>'
                    for _, drawing in shapes(found))
    shape_section = (f'<h2>What passes, and when</h2><p>One demand (grey) against each limiter at 100 per second '
                     f'(dashed), in virtual time: steady, a wave, a pause, a wave, and more than is allowed. Blue: '
                     f'admitted in each 50 ms.</p><div class="grid small">{drawn}</div>' if drawn else "")
    bars = (f'<h2>Bars</h2><p>Each is a ratio or a figure inside one process. The mark in the middle is the promise; '
            f'shorter is better.</p><div class="card"><table><tr><th>bar</th><th class="n">here</th><th></th>'
            f'<th class="n">promised</th><th></th><th>moonshot</th></tr>{bar_rows(found["bars"])}</table></div>'
            if found["bars"] else "")
    where = " · ".join((
        f'{m["processor"]}, {m["processors"]} processors{" of a virtual machine" if m["virtual"] else ""}', m["system"],
        m["compiler"], f'governor {m["governor"]}', f'clock source {m["clock_source"]}', f'load {m["load"]}',
        found["when"]))
    tiles = "".join(f'<div class="tile"><b class="{kind}">{value}</b><span>{what}</span></div>'
                    for value, what, kind in (
        (f"{met} of {judged}", "bars met", "good" if met == judged else "bad"),
        (len(found["rows"]), "figures", ""),
        (f"{noise:.2%}", "two empty loops apart, at most", ""),
        ("quick" if found["quick"] else "full", "run; figures scatter" if found["quick"] else "run", "")))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>weir: benchmarks</title><style>{STYLE}{PAGE_STYLE.read_text(encoding="utf-8")}</style></head><body><main>
<h1>weir: what a decision costs</h1>
<div class="machine">{esc(where)}</div>
<div class="tiles">{tiles}</div>
{bars}{comparison_section(found)}
<h2>Charts</h2><div class="grid">{charts(found)}</div>
{shape_section}{peer_section(found)}
<h2>All figures</h2><p>ns: one decision of one thread, the median of chunks of 512, of windows; none where threads
outnumber processors. M/s: all threads together. × floor: beside what no decision of its kind can be cheaper than, in
the same turn.</p>
{figure_tables(found)}
</main></body></html>
"""
