"""Whether the agent is too busy to measure rightly."""

from faultline_agent.guard import LoadGuard


def sampled(*samples: tuple[float, float]) -> LoadGuard:
    """A guard after samples of CPU share and loop lag."""
    guard = LoadGuard()
    for cpu, lag_s in samples:
        guard.sample(cpu, lag_s)
    return guard


BUSY, LATE, MIDDLING, IDLE = (0.97, 0.01), (0.2, 0.6), (0.85, 0.15), (0.1, 0.001)


def test_one_busy_second_sheds_nothing() -> None:
    """A short burst is no reason to measure less."""
    guard = sampled(BUSY)
    assert (guard.saturated, guard.shed, guard.sentence) == (False, 0.0, "")


def test_lasting_load_saturates_and_sheds_more_and_more() -> None:
    """CPU and loop lag each suffice."""
    for load in (BUSY, LATE):
        guard = sampled(load, load)
        assert guard.saturated
        assert guard.shed == 0.1
        for _ in range(20):
            guard.sample(*load)
        assert guard.shed == 0.9, "some probes always run"


def test_middling_load_changes_nothing_in_either_direction() -> None:
    """Between the two thresholds the guard stays as it is."""
    guard = sampled(BUSY, BUSY, BUSY, *[MIDDLING] * 20)
    assert guard.saturated
    assert round(guard.shed, 1) == 0.2
    assert not sampled(*[MIDDLING] * 20).saturated


def test_quiet_seconds_bring_everything_back() -> None:
    """It takes three of them to be called unsaturated, and more until nothing is shed."""
    states = []
    guard = sampled(BUSY, BUSY, BUSY)
    for _ in range(4):
        guard.sample(*IDLE)
        states.append((guard.saturated, round(guard.shed, 1)))
    assert states == [(True, 0.2), (True, 0.2), (False, 0.1), (False, 0.0)]
    assert guard.sentence == ""


def test_sentence_names_load_and_what_is_left_out() -> None:
    """The operator reads why."""
    assert (
        sampled(LATE, LATE).sentence
        == "too busy: 20% of a core, loop 600 ms late; 10% of the runs are left out"
    )
