"""Run the benchmark: `python -m bench --help`."""

import argparse
from collections.abc import Callable
from typing import Final

from bench.embedded import embedded
from bench.growth import growth
from bench.logs import MTAS, alone
from bench.memory import memory
from bench.nodes import node, nodes
from bench.part import Options, Part
from bench.rebuild import rebuild
from bench.reducing import bodies, parse
from bench.report import report
from bench.scaled import scaled
from bench.searches import searches
from bench.truth import truth

_PARTS: Final[dict[str, Callable[[Options], Part]]] = {
    "parse": parse,
    "bodies": bodies,
    "sqlite": embedded,
    "elasticsearch": scaled,
    "truth": truth,
    "memory": memory,
    "growth": growth,
    "rebuild": rebuild,
    "searches": searches,
    "node": node,
    "nodes": nodes,
}
_USUAL: Final = "parse,bodies,sqlite,truth,elasticsearch"
_EPILOG: Final = """\
examples:
  python -m bench --only parse,sqlite --lines 100000 --rounds 1
  python -m bench --only growth,searches --transactions 200000 --step 100000

Only a full run writes RESULTS.md: one with at least the default lines, rounds, transactions and MTAs.
"""


def _several(known: list[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        found = text.split(",")
        if strange := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {strange[0]}; choose from {', '.join(known)}")
        return found

    return names


def _arguments() -> argparse.Namespace:
    usual = Options()
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m bench", description=__doc__, epilog=_EPILOG, formatter_class=form)
    option = parser.add_argument
    parts = f"parts to run: {', '.join(_PARTS)} (default {_USUAL})"
    option("--only", type=_several(list(_PARTS)), default=_USUAL.split(","), metavar="PART,...", help=parts)
    option(
        "--mtas",
        type=_several(list(MTAS)),
        default=list(MTAS),
        metavar="MTA,...",
        help="MTAs whose logs are read (default all)",
    )
    option("--lines", type=int, default=usual.lines, help="lines of each log (default %(default)s)")
    option("--rounds", type=int, default=usual.rounds, help="rounds of each comparison (default %(default)s)")
    option(
        "--transactions", type=int, default=usual.transactions, help="size of the searched store (default %(default)s)"
    )
    option("--step", type=int, default=usual.step, help="transactions per log of that store (default %(default)s)")
    option("--places", type=int, default=usual.places, help="number of random cuts per log (default %(default)s)")
    option("--keep", action="store_true", help="keep the stores that were searched")
    found = parser.parse_args()
    if min(found.lines, found.rounds, found.step) < 1 or found.transactions < 2 * found.step:
        parser.error("--lines, --rounds and --step must be positive, and --transactions at least twice --step")
    return found


def main() -> None:
    """Run the chosen parts, and report each."""
    arguments = vars(_arguments())
    parts = arguments.pop("only")
    options = Options(**arguments)
    with alone():
        for name in parts:
            report(name, _PARTS[name](options), options)


if __name__ == "__main__":
    main()
