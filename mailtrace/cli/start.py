"""Start the two commands. This module imports almost nothing, so that Ctrl-C is handled before the slow imports."""

import os
import signal
from importlib import import_module

_INTERRUPTED = 130


def index() -> int:
    """Run `mailtrace-index`; return its exit status."""
    return _run("mailtrace.cli.index")


def search() -> int:
    """Run `mailtrace-search`; return its exit status."""
    return _run("mailtrace.cli.search")


def _run(module: str) -> int:
    try:
        handler = signal.getsignal(signal.SIGINT)
        if handler is signal.default_int_handler:  # else whoever started this ignores Ctrl-C
            # An exception in the middle of an import would be shown, or become another one. Nothing has been done yet.
            signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
        main = import_module(module).main
        signal.signal(signal.SIGINT, handler)
        status = int(main())
    except KeyboardInterrupt:
        status = _INTERRUPTED
    # All is done. Python may crash if a signal comes while it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return status
