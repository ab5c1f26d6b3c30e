"""What happens to lines on their way: lost, doubled, cut, overwritten."""

from hypothesis import strategies as st


@st.composite
def mangled(draw, written, start):
    """Return lines as bytes of which some have been lost or mangled from byte `start` on, and whose units they were."""
    lines, touched = [], set()
    for unit, text in written:
        how = draw(st.sampled_from([None, None, None, _lost, _doubled, _cut, _overwritten, _stuffed]))
        line = text.encode()
        if how is None:
            lines.append(line)
            continue
        touched.add(unit)
        lines += [part.replace(b"\n", b" ") for part in how(draw, line, start)]
    return lines, touched


def _place(draw, line, start):
    return draw(st.integers(min(start, len(line)), len(line)))


def _lost(_draw, _line, _start):
    return []


def _doubled(_draw, line, _start):
    return [line, line]


def _cut(draw, line, start):
    return [line[: _place(draw, line, start)]]


def _overwritten(draw, line, start):
    at, noise = _place(draw, line, start), draw(st.binary(max_size=8))
    return [line[:at] + noise + line[at + len(noise) :]]


def _stuffed(draw, line, start):
    at = _place(draw, line, start)
    return [line[:at] + draw(st.binary(max_size=20)) + line[at:]]
