// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

namespace shop {

/// The style sheet of the report: light or dark, as its reader's system says.
inline constexpr char const* style_sheet = R"(
:root{color-scheme:light dark;--page:#fbfaf8;--ink:#1d1b19;--soft:#6f6a64;--grid:#e4e0da;--panel:#fff;
  --edge:#e4e0da;--fault:#efe6d6;--settle:#f6f1e8;--bare:#c2410c;--governed:#0f766e;--bad:#b91c1c;
  --good:#15803d;--wait:#b45309}
@media(prefers-color-scheme:dark){:root{--page:#161513;--ink:#ece8e1;--soft:#9d968c;--grid:#34312d;
  --panel:#1e1c1a;--edge:#34312d;--fault:#37301f;--settle:#272219;--bare:#fb923c;--governed:#2dd4bf;
  --bad:#f87171;--good:#4ade80;--wait:#fbbf24}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1160px;margin:0 auto;padding:32px 20px 56px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px}
h2{font-size:18px;margin:36px 0 8px}
p{margin:0 0 10px;max-width:78ch}
.soft,figcaption span{color:var(--soft)}
.big{display:grid;grid-template-columns:repeat(auto-fit,minmax(230px,1fr));gap:12px;margin:20px 0 8px}
.big div{background:var(--panel);border:1px solid var(--edge);border-radius:8px;padding:12px 16px}
.big b{display:block;font-size:24px;line-height:1.3;font-variant-numeric:tabular-nums}
.big small{color:var(--soft)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{padding:5px 6px;text-align:right;border-bottom:1px solid var(--edge);white-space:nowrap}
th:first-child,td:first-child{text-align:left}
th{font-weight:500;color:var(--soft)}
.b{color:var(--bare)}
.g{color:var(--governed)}
th.b,th.g{font-weight:700;text-align:left}
.sep{border-left:1px solid var(--edge);padding-left:16px}
.PASS{color:var(--good);font-weight:700}
.FAIL{color:var(--bad);font-weight:700}
figure{margin:14px 0 0;background:var(--panel);border:1px solid var(--edge);border-radius:8px;
  padding:12px 14px 4px;overflow-x:auto}
figcaption{font-size:14px;margin-bottom:4px}
.legend{float:right}
.legend i{display:inline-block;width:18px;height:0;border-top:3px solid;margin:0 5px 4px 14px}
.legend i.thin{border-top:2px dotted}
svg{display:block;width:100%;min-width:680px;height:auto}
text{font:12px system-ui,sans-serif;fill:var(--soft)}
.act{text-anchor:middle;font-weight:600;fill:var(--ink)}
.end{text-anchor:end}
.mid{text-anchor:middle}
.fault{fill:var(--fault)}
.settle{fill:var(--settle)}
.grid{stroke:var(--grid)}
.mark{stroke:var(--bare);stroke-dasharray:2 3}
.marked{fill:var(--bare)}
.curve{fill:none;stroke-width:2.2;stroke-linejoin:round}
.curve.bare{stroke:var(--bare)}
.curve.governed{stroke:var(--governed)}
.curve.thin{stroke-width:1.4;stroke-dasharray:2 3}
.curve.offered{stroke:var(--soft);stroke-width:1.2}
.curve.limit{stroke:var(--soft);stroke-width:1.2;stroke-dasharray:6 4}
rect.closed{fill:var(--good);opacity:.75}
rect.open{fill:var(--bad);opacity:.8}
rect.half_open{fill:var(--wait);opacity:.8}
rect.l0{fill:var(--bad);opacity:.75}
rect.l1{fill:var(--wait);opacity:.7}
rect.l2{fill:var(--good);opacity:.3}
rect.l3{fill:var(--good);opacity:.55}
rect.l4{fill:var(--good);opacity:.75}
.in-band{fill:var(--ink)}
dt{font-weight:600;margin-top:8px}
dd{margin:0 0 0 0;color:var(--soft)}
code{font:14px ui-monospace,monospace}
)";

}  // namespace shop
