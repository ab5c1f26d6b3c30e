"""Damage to log lines: lost, duplicated, cut, overwritten."""

from hypothesis import strategies as st


@st.composite
def mangled(draw, written):
    """Return lines as bytes, some of them lost, duplicated or damaged, and the units of the affected lines."""
    lines, touched = [], set()
    for unit, text in written:
        how = draw(st.sampled_from([None, None, None, _lost, _doubled, _cut, _overwritten, _stuffed]))
        line = text.encode()
        if how is None:
            lines.append(line)
            continue
        touched.add(unit)
        lines += [part.replace(b"\n", b" ") for part in how(draw, line)]
    return lines, touched


def _place(draw, line):
    return draw(st.integers(0, len(line)))


def _lost(_draw, _line):
    return []


def _doubled(_draw, line):
    return [line, line]


def _cut(draw, line):
    return [line[: _place(draw, line)]]


def _overwritten(draw, line):
    at, noise = _place(draw, line), draw(st.binary(max_size=8))
    return [line[:at] + noise + line[at + len(noise) :]]


def _stuffed(draw, line):
    at = _place(draw, line)
    return [line[:at] + draw(st.binary(max_size=20)) + line[at:]]
