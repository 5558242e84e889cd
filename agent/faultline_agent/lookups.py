"""How many names the system is asked for at a time, where no resolvers are named."""

import os

AT_ONCE = 64
"""libuv's 4 are soon taken by names whose servers are silent, and all others would wait behind them."""


def look_up_more() -> None:
    """For the rest of the process, if its first look-up is still to come."""
    os.environ.setdefault("UV_THREADPOOL_SIZE", str(AT_ONCE))
