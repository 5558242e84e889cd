"""The labelled worlds d01 to d06 of the shared folder, when it lies beside the repository."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.bench.labelled import SHARED, WORLDS, scored


@pytest.mark.e2e
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled worlds lie in ../shared, which is not here")
def test_the_given_worlds_are_told_rightly(tmp_path: Path) -> None:
    """All faults found but one at most, four in five with the right scope, one false alarm at most."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as two:
        scores = list(two.map(partial(scored, folder=tmp_path), WORLDS))
    faults = sum(s.faults for s in scores)
    assert sum(s.found for s in scores) >= faults - 1
    assert sum(s.right_scope for s in scores) >= 0.8 * faults
    assert sum(s.false_alarms for s in scores) <= 1
