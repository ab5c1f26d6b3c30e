"""An overview as one HTML page: without scripts, and without anything from elsewhere."""

from collections.abc import Iterator
from html import escape
from itertools import chain
from typing import Final

from mailtrace.output.overview_charts import bars_chart, periods_chart
from mailtrace.output.overview_sections import KINDS, Section, delay_classes, number, outcomes_of, sections, title_of
from mailtrace.search.overview import Overview

_STYLE: Final = """\
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --faint: #57606a; --line: #d0d7de;
  --sent: #0072b2; --waiting: #b26a00; --failed: #a4262c; --other: #6e7781; }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --text: #e6edf3; --faint: #9da7b3; --line: #30363d;
  --sent: #56b4e9; --waiting: #e69f00; --failed: #ff7b72; --other: #9aa4af; } }
@media print { :root { color-scheme: light; --page: #fff; --text: #000; --faint: #444; --line: #bbb;
  --sent: #0072b2; --waiting: #b26a00; --failed: #a4262c; --other: #6e7781; }
  section, svg { break-inside: avoid; } details { display: none; } body { font-size: 10pt; }
  rect, .key { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
body { background: var(--page); color: var(--text); font: 15px/1.45 system-ui, sans-serif; margin: 0 auto;
  max-width: 62rem; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .6rem; text-align: right; vertical-align: top;
  white-space: nowrap; font-variant-numeric: tabular-nums; }
th { color: var(--faint); font-weight: 600; }
th:last-child, td:last-child { text-align: left; white-space: normal; overflow-wrap: anywhere; }
th:last-child { width: 99%; }
svg { display: block; height: auto; width: 100%; } svg text { fill: var(--faint); font-size: 13px; }
svg line { stroke: var(--line); }
.sent { fill: var(--sent); background: var(--sent); } .waiting { fill: var(--waiting); background: var(--waiting); }
.failed { fill: var(--failed); background: var(--failed); } .other { fill: var(--other); background: var(--other); }
.key { display: inline-block; height: .8em; margin-right: .35em; width: .8em; }
.legend { list-style: none; margin: .3rem 0; padding: 0; } .legend li { display: inline-block; margin-right: 1.4em; }
"""
_HEAD: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
"""


def overview_html(overview: Overview) -> Iterator[str]:
    """Return the page in parts."""
    yield _HEAD.format(title=escape(title_of(overview.span)), style=_STYLE)
    found = sections(overview)
    yield from map(_table, [next(found)])
    yield _periods(overview)
    if any(overview.delays):
        title = "Delay of what was sent"
        yield f"<section>\n<h2>{title}</h2>\n{bars_chart(delay_classes(), overview.delays, title)}</section>\n"
    yield from map(_table, found)
    yield "</main>\n</body>\n</html>\n"


def _periods(overview: Overview) -> str:
    name = "hour" if overview.span.is_by_hour else "day"
    title = f"Recipients by {name} and outcome"
    chart = periods_chart(overview.periods, title)
    return f"<section>\n<h2>{title}</h2>\n{chart}{_legend(overview)}{_details(overview, name)}</section>\n"


def _legend(overview: Overview) -> str:
    found = set(outcomes_of(overview))
    items = [
        f'<li><span class="key {kind}"></span>{", ".join(one for one in outcomes if one in found)}</li>'
        for kind, outcomes in KINDS.items()
        if found & {*outcomes}
    ]
    return f'<ul class="legend">{"".join(items)}</ul>\n'


def _details(overview: Overview, name: str) -> str:
    """Return the numbers of the chart as a table."""
    outcomes = outcomes_of(overview)
    rows = [
        (
            number(period.received),
            *(number(period.outcomes.get(one, 0)) for one in outcomes),
            period.begin.replace("T", " "),
        )
        for period in overview.periods
    ]
    table = _rows(Section("", ("messages received", *outcomes, name), rows))
    return f"<details><summary>Numbers by {name}</summary>\n{table}</details>\n"


def _table(section: Section) -> str:
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{_rows(section)}</section>\n"


def _rows(section: Section) -> str:
    heads = "".join(f'<th scope="col">{escape(head or "what")}</th>' for head in section.heads)
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in section.rows)
    lines = chain([f"<tr>{heads}</tr>"], (f"<tr>{row}</tr>" for row in rows))
    return "<table>\n" + "\n".join(lines) + "\n</table>\n"
