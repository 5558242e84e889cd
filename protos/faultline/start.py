"""How both programs begin: with next to no imports, so that Ctrl-C is quiet from the first moment on."""

import sys
from importlib import import_module

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count: 128 and the signal's number."""


def start(commands: str) -> None:
    """Runs the group `main` of a module; Ctrl-C ends it without a word, also while it is imported."""
    try:
        import_module(commands).main()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
