"""How long to wait before the next try."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from faultline.backoff import Backoff

BACKOFF = Backoff(first_s=0.5, most_s=15.0)


@given(st.integers(1, 10_000), st.integers(0, 2**32))
def test_delay_lies_between_half_and_all_of_its_step(failures: int, seed: int) -> None:
    """However many failures there were."""
    step = min(15.0, 0.5 * 2.0 ** min(failures - 1, 60))
    assert step / 2 <= BACKOFF.delay_s(failures, Random(seed)) <= step


def test_agents_that_fail_together_do_not_come_back_together() -> None:
    """That is what the jitter is for."""
    delays = {round(BACKOFF.delay_s(5, Random(seed)), 3) for seed in range(50)}
    assert len(delays) > 45
