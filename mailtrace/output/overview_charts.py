"""The charts of an overview as inline SVG. Colours are classes, which the style sheet of the page defines."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from mailtrace.output.overview_sections import KINDS, most, number
from mailtrace.search.overview import Period
from mailtrace.search.query import OUTCOMES

_WIDTH: Final = 960
_HEIGHT: Final = 220
_LEFT: Final = 70
"""Room for the numbers of the axis."""
_LABELS: Final = 12
"""At most so many bars have a label."""
_ROW: Final = 26


def periods_chart(periods: Sequence[Period], title: str) -> str:
    """Return a column for each hour or day, with a part for each kind of outcome."""
    highest = most(sum(period.outcomes.values()) for period in periods)
    step = (_WIDTH - _LEFT) / max(1, len(periods))
    body = [*_axis(highest)]
    every = -(-len(periods) // _LABELS)
    for at, period in enumerate(periods):
        left = _LEFT + at * step
        body.append(_column(period, left, step * 0.84, highest))
        if at % every == 0:
            label = period.begin[11:16] or period.begin[5:]
            body.append(f'<text x="{left + step / 2:.1f}" y="{_HEIGHT + 18}" text-anchor="middle">{label}</text>')
    return _svg("periods", title, _HEIGHT + 26, body)


def _axis(highest: int) -> Iterator[str]:
    for part in (0, 0.5, 1):
        y = _HEIGHT - part * (_HEIGHT - 10)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        if highest * part == int(highest * part):
            shown = number(int(highest * part))
            yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{shown}</text>'


def _column(period: Period, left: float, width: float, highest: int) -> str:
    top, parts = float(_HEIGHT), []
    for kind, outcomes in KINDS.items():
        height = sum(period.outcomes.get(one, 0) for one in outcomes) * (_HEIGHT - 10) / highest
        if height:
            top -= height
            where = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
            parts.append(f'<rect class="{kind}" {where}/>')
    return f"<g><title>{escape(described(period))}</title>{''.join(parts)}</g>"


def described(period: Period) -> str:
    """Return what became of the recipients of a period."""
    shown = [f"{number(period.outcomes[one])} {one}" for one in OUTCOMES if one in period.outcomes]
    return f"{period.begin.replace('T', ' ')}: {', '.join(shown) or 'none'}"


def bars_chart(labels: Sequence[str], numbers: Sequence[int], title: str) -> str:
    """Return a bar for each label."""
    longest, left, body = most(numbers), 160, []
    for at, (label, found) in enumerate(zip(labels, numbers, strict=True)):
        y, width = at * _ROW, found * (_WIDTH - left - 110) / longest
        body.append(f'<text x="{left - 8}" y="{y + 17}" text-anchor="end">{escape(label)}</text>')
        body.append(f'<rect class="sent" x="{left}" y="{y + 4}" width="{width:.1f}" height="{_ROW - 8}"/>')
        body.append(f'<text x="{left + width + 8:.1f}" y="{y + 17}">{number(found)}</text>')
    return _svg("delays", title, _ROW * len(labels) + 6, body)


def _svg(name: str, title: str, height: int, body: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="{name}">'
    return f'{head}<title id="{name}">{escape(title)}</title>{"".join(body)}</svg>\n'
