"""What all tests share: a missing real server skips here and fails in CI."""

import os
import shutil
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Gives the path of a program; where it is missing, skips with a sentence, or fails with CI=true."""

    def find(name: str) -> str:
        path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
        if path is None:
            sentence = f"{name} is not installed (as root: make servers)"
            if os.environ.get("CI") == "true":
                pytest.fail(sentence)
            pytest.skip(sentence)
        return path

    return find
