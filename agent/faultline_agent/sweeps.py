"""How often Python looks for objects that only hold each other."""

import gc

MOST_YOUNG = 10_000
"""New containers that bring on a sweep; the default of 700 is passed a hundred times a second."""


def sweep_less() -> None:
    """For the rest of the process; each probe makes many objects, and nearly all end with it unswept."""
    gc.set_threshold(MOST_YOUNG, *gc.get_threshold()[1:])
