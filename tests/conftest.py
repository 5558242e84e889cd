"""What all tests share: the programs they need, and how many examples properties try."""

import logging
import os
import shutil
import signal
from collections.abc import Callable

import pytest
from hypothesis import settings

# What a shell starts in the background ignores Ctrl-C, and so would all that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

logging.getLogger("httpx").setLevel(logging.WARNING)  # or the progress of long tests drowns in it

pytest_plugins = ["tests.skips", "tests.servers.influxdb", "tests.servers.mosquitto"]

settings.register_profile("unit", deadline=None, max_examples=60)
settings.register_profile(
    "soak", deadline=None, max_examples=int(os.environ.get("FAULTLINE_SOAK_EXAMPLES", "5000"))
)
settings.load_profile("soak" if os.environ.get("FAULTLINE_SOAK") == "1" else "unit")


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Gives the path of a program; where it is missing, skips with a sentence (in CI: tests/skips.py)."""

    def find(name: str) -> str:
        path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
        if path is None:
            pytest.skip(f"{name} is not installed (as root: make servers)")
        return path

    return find
