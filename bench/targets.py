"""What is to be reached. Ratios are of this machine in this session; seconds are of a quiet machine."""

from typing import Final, NamedTuple


class Target(NamedTuple):
    """One figure and its bound."""

    text: str
    figure: str
    """As a part of the bench names it."""
    bound: float
    at_least: bool = False
    """Whether the figure must not be less than its bound, instead of not more."""

    def is_reached(self, figure: float) -> bool:
        """Whether a figure is good enough."""
        return figure >= self.bound if self.at_least else figure <= self.bound


def _memory() -> tuple[Target, ...]:
    return tuple(
        Target(f"MiB at most, {lines} million {mta} lines to {to}", f"memory: {mta} {size} to {to}: MiB", 100)
        for mta in ("postfix", "sendmail")
        for lines, size in ((1, "small"), (10, "large"))
        for to in ("sqlite", "bodies")
    )


def _searches() -> tuple[Target, ...]:
    exact = ("sender", "recipient", "message ID", "queue ID", "login")
    domains = ("domain of sender", "domain of recipient")
    sizes = ((1, "small", 0.15), (10, "large", 0.2))
    return tuple(
        Target(f"s, newest 10 by {kind} of {millions} million, the slowest", f"searches: {kind} {size}", bound)
        for millions, size, exactly in sizes
        for kinds, bound in ((exact, exactly), (domains, 0.5))
        for kind in kinds
    )


TARGETS: Final = (
    Target("file to bulk bodies, times of pflogsumm's on the same Postfix log", "bodies: postfix / pflogsumm", 1 / 3),
    Target("a sendmail line to bulk bodies, times of a Postfix line", "bodies: sendmail / postfix", 1.5),
    Target("a line of a mixed log to bulk bodies, times of a Postfix line", "bodies: mixed / postfix", 1.5),
    Target("gzip input to bulk bodies, times of plain input's", "bodies: postfix gzip / postfix", 1 / 0.8),
    *(
        Target(f"into Elasticsearch, of the limit, {mta}", f"elasticsearch: {mta} of the limit", 0.8, at_least=True)
        for mta in ("postfix", "sendmail", "mixed")
    ),
    *(
        Target(f"into the embedded store, of the limit, {mta}", f"sqlite: {mta} of the limit", 0.7, at_least=True)
        for mta in ("postfix", "sendmail", "mixed")
    ),
    Target("a transaction's cost in the tenth million, times of the first", "growth: cost", 1.15),
    *_memory(),
    *_searches(),
    Target("s, a free pattern over 10 million, all that match", "searches: pattern, all large", 5),
    Target("s, groups by outcome over 1 million", "searches: by outcome, of the first log small", 3),
    Target("s, groups by relay over 1 million", "searches: by relay, of the first log small", 3),
    Target("documents that are not the generator's truth", "truth: wrong", 0),
)
