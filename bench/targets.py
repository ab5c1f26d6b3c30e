"""The targets. Ratios compare runs on the same machine at the same time; seconds are for an idle machine."""

from typing import Final, NamedTuple


class Target(NamedTuple):
    """One figure and its bound."""

    text: str
    figure: str
    """The name of the figure in the results."""
    bound: float
    at_least: bool = False
    """Whether the bound is a minimum, not a maximum."""

    def is_reached(self, figure: float) -> bool:
        """Return whether a figure meets the bound."""
        return figure >= self.bound if self.at_least else figure <= self.bound


def _memory() -> tuple[Target, ...]:
    return tuple(
        Target(f"peak memory in MiB, {lines} million {mta} lines to {to}", f"memory: {mta} {size} to {to}: MiB", 100)
        for mta in ("postfix", "sendmail")
        for lines, size in ((1, "small"), (10, "large"))
        for to in ("sqlite", "bodies")
    )


def _searches() -> tuple[Target, ...]:
    exact = ("sender", "recipient", "message ID", "queue ID", "login")
    domains = ("domain of sender", "domain of recipient")
    sizes = ((1, "small", 0.1), (10, "large", 0.1))
    return tuple(
        Target(f"seconds, newest 10 by {kind} of {millions} million (slowest)", f"searches: {kind} {size}", bound)
        for millions, size, exactly in sizes
        for kinds, bound in ((exact, exactly), (domains, 0.5))
        for kind in kinds
    )


TARGETS: Final = (
    Target("Postfix log to documents, time relative to pflogsumm", "parse: postfix / pflogsumm", 0.45),
    Target("Postfix log to bulk bodies, time relative to pflogsumm", "bodies: postfix / pflogsumm", 0.6),
    Target(
        "Postfix log to bulk bodies, two processes, time relative to pflogsumm",
        "bodies: postfix, two processes / pflogsumm",
        1 / 3,
    ),
    Target("sendmail line to bulk bodies, time relative to a Postfix line", "bodies: sendmail / postfix", 1.5),
    Target("line of a mixed log to bulk bodies, time relative to a Postfix line", "bodies: mixed / postfix", 1.4),
    Target("gzip input to bulk bodies, time relative to plain input", "bodies: postfix gzip / postfix", 1 / 0.8),
    *(
        Target(
            f"into Elasticsearch, share of the limit, {mta}", f"elasticsearch: {mta} of the limit", 0.8, at_least=True
        )
        for mta in ("postfix", "sendmail", "mixed")
    ),
    *(
        Target(f"into the embedded store, share of the limit, {mta}", f"sqlite: {mta} of the limit", 0.7, at_least=True)
        for mta in ("postfix", "sendmail", "mixed")
    ),
    Target(
        "Postfix log into the embedded store, time relative to pflogsumm", "sqlite: postfix: whole run / pflogsumm", 1
    ),
    Target(
        "Postfix log into the embedded store, two processes, time relative to pflogsumm",
        "sqlite: postfix: two processes / pflogsumm",
        0.6,
    ),
    Target("bytes of a Postfix transaction in the embedded store", "sqlite: postfix: bytes", 1200),
    Target("cost of a transaction in the tenth million, relative to the first", "growth: cost", 1.15),
    *_memory(),
    Target("peak memory in MiB, a rebuild of 1 million transactions", "rebuild: MiB", 100),
    Target("seconds, 100,000 documents of the embedded store as JSON", "rebuild: export of 100,000: s", 4),
    Target("seconds, 100,000 documents of one node as JSON", "nodes: export of 100,000, one node: s", 10),
    *_searches(),
    Target("seconds, all matches of a pattern in 10 million", "searches: pattern, all large", 5),
    Target("seconds, number of matches of a word in 10 million", "searches: count of *bob* large", 3),
    Target("seconds, number of matches of a letter in 10 million", "searches: count of *o* large", 6),
    Target("seconds, groups by outcome of 1 million", "searches: by outcome, of the first log small", 1),
    Target("seconds, groups by relay of 1 million", "searches: by relay, of the first log small", 1),
    Target("documents that differ from the generator's truth", "truth: wrong", 0),
)
