# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the page of a report looks: light, dark and on paper, wide and narrow."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfbf9; --card: #ffffff; --ink: #1c2126; --soft: #5d6872; --line: #d9dde0; --fill: #f1f3f4;
  --flow: #4a6b8a; --outer: #0b7285; --good: #2b7a3d; --bad: #c92a2a; --bad-fill: #fff0f0; --good-fill: #edf7ef;
  --chip: 52%; --tint: 93%;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181c; --card: #1b2127; --ink: #e6e9eb; --soft: #9aa5ae; --line: #333c44; --fill: #232b32;
    --flow: #8fb1d0; --outer: #66d9e8; --good: #69db7c; --bad: #ff8787; --bad-fill: #3a1d1f; --good-fill: #1b2f21;
    --chip: 64%; --tint: 21%;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem clamp(.8rem, 3vw, 2.5rem) 4rem; max-width: 1400px; overflow-wrap: anywhere;
  background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .2rem; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; margin: 0; letter-spacing: -.01em; }
h3 { font-size: 1rem; margin: 1.6rem 0 .5rem; }
p { margin: .3rem 0; max-width: 75ch; }
a { color: inherit; }
code, .matrix, .picture { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.soft { color: var(--soft); }
.good { color: var(--good); } .bad { color: var(--bad); }
header .verdict { font-size: 1.1rem; }
section.host {
  margin-top: 2rem; padding: 1.2rem clamp(.8rem, 2.5vw, 1.6rem) 1.4rem;
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
}
section.host > header { display: flex; flex-wrap: wrap; gap: .2rem .9rem; align-items: baseline; }
.mark { font-weight: 600; }
.wide { overflow-x: auto; max-width: 100%; }
.wide:focus-visible { outline: 2px solid var(--flow); }
table { border-collapse: collapse; font-size: .9rem; }
.plain { width: 100%; }
.plain th { text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap; }
.plain th, .plain td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.plain td { white-space: nowrap; }
.plain td.soft { white-space: normal; min-width: 12rem; }
.plain .number { text-align: right; font-variant-numeric: tabular-nums; }
ul.found { margin: .3rem 0; padding: .6rem 1rem .6rem 2rem; border-radius: 8px; background: var(--fill); }
ul.wrong { background: var(--bad-fill); }
.matrix { font-size: 12px; line-height: 1.25; border-collapse: separate; border-spacing: 0; }
.matrix th { font-weight: 500; background: var(--card); white-space: nowrap; }
.matrix thead th { position: sticky; top: 0; z-index: 2; vertical-align: bottom; padding: 0; height: 1px; }
.matrix thead th span { writing-mode: vertical-rl; transform: rotate(180deg); padding: 4px 6px; display: inline-block; }
.matrix tbody th { position: sticky; left: 0; z-index: 1; text-align: right; padding: 2px 8px 2px 2px; }
.matrix thead th:first-child { position: sticky; left: 0; z-index: 3; }
.matrix thead th:first-child span { writing-mode: initial; transform: none; color: var(--soft); }
.matrix td {
  min-width: 26px; padding: 2px 5px; text-align: center; border: solid var(--line); border-width: 1px 0 0 1px;
  white-space: nowrap; color: var(--soft);
}
.matrix tbody tr:last-child td { border-bottom-width: 1px; } .matrix td:last-child { border-right-width: 1px; }
.matrix td.pass { background: var(--good-fill); color: var(--good); }
.matrix td.wrong { background: var(--bad); color: var(--card); font-weight: 700; }
.matrix td.self { background: var(--fill); }
.matrix tbody tr:hover td, .matrix tbody tr:hover th { box-shadow: inset 0 1px var(--flow), inset 0 -1px var(--flow); }
.tall { max-height: 85vh; overflow: auto; }
figure { margin: .6rem 0 1.2rem; }
.picture { display: block; margin: 0 auto; }
.picture text { fill: var(--ink); font-size: 10.5px; text-anchor: middle; }
.picture .name { font-size: 12.5px; font-weight: 600; }
.picture .small { text-anchor: start; fill: var(--soft); }
.picture .box > rect { fill: var(--card); stroke: var(--soft); stroke-width: 1.2; }
.picture .end > rect { fill: var(--fill); stroke: var(--outer); stroke-width: 1.2; }
.picture .chip { fill: hsl(var(--hue) 55% var(--chip)); }
.picture .lane rect {
  fill: hsl(var(--hue) 45% var(--tint)); stroke: hsl(var(--hue) 45% var(--chip)); stroke-width: .8;
}
.picture .lane text { fill: var(--ink); }
.picture path.band { fill: none; stroke: hsl(var(--hue) 50% var(--chip)); stroke-width: 3; }
.picture path.band.joined { stroke: var(--flow); stroke-width: 1.6; }
.picture .band rect {
  fill: hsl(var(--hue) 45% var(--tint)); stroke: hsl(var(--hue) 50% var(--chip)); stroke-width: 1.2;
}
.picture .band.joined rect { fill: var(--fill); stroke: var(--flow); }
.picture .flow path {
  fill: none; stroke: var(--flow); stroke-width: 1.4; stroke-linejoin: round; stroke-linecap: round;
}
.picture .flow .head { fill: var(--flow); stroke: none; }
.picture .outer path { stroke: var(--outer); stroke-width: 2; } .picture .outer .head { fill: var(--outer); }
.picture .wrong path { stroke: var(--bad); stroke-width: 2.4; } .picture .wrong .head { fill: var(--bad); }
.picture .cut path { stroke-dasharray: 5 4; } .picture .cut .head { stroke-dasharray: none; }
.picture .flow:hover path { stroke-width: 3.4; }
.picture .pin rect { fill: var(--card); stroke: var(--flow); stroke-width: 1.2; }
.picture .pin.outer rect { stroke: var(--outer); }
.picture .pin.wrong rect { fill: var(--bad); stroke: var(--bad); }
.picture .pin.wrong text { fill: var(--card); font-weight: 700; }
.picture .badge { fill: var(--soft); } .picture .badge.wrong { fill: var(--bad); font-weight: 700; }
details summary { cursor: pointer; color: var(--soft); }
.key { font-size: .85rem; color: var(--soft); }
.dot {
  display: inline-block; width: .7em; height: .7em; border-radius: 50%; background: hsl(var(--hue) 55% var(--chip));
}
@media print {
  :root {
    --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --fill: #f2f2f2; --flow: #345; --outer: #046;
    --good: #064; --bad: #b00; --bad-fill: #fff; --good-fill: #eef5ef; --chip: 45%; --tint: 94%; color-scheme: light;
  }
  body { max-width: none; padding: 0; font-size: 10pt; }
  section.host { border: 0; padding: 0; break-before: page; }
  section.host:first-of-type { break-before: auto; }
  .wide, .tall { overflow: visible; max-height: none; }
  .matrix { font-size: 7pt; } .matrix th { position: static !important; } .matrix td { min-width: 0; padding: 1px 3px; }
  figure, tr { break-inside: avoid; } .picture { max-width: 100%; height: auto; max-height: 240mm; }
  details { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
