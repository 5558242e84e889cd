"""How far an agent's clock is off."""

from faultline_collector.ingest.clocks import ClockOffset


def test_the_shortest_delay_is_the_nearest() -> None:
    """A message that was held up does not move the clock."""
    clock = ClockOffset()
    for delay in (80_000, 300, 5_000_000):
        clock.note(1_000_000, 1_000_000 - 7_000 + delay)
    assert clock.offset_us == 300 - 7_000


def test_a_stepped_clock_is_followed() -> None:
    """After five messages nothing is left of the time before a step."""
    clock = ClockOffset()
    clock.note(0, 10)
    for _ in range(5):
        clock.note(0, 3_600_000_010)
    assert clock.offset_us == 3_600_000_010


def test_nothing_is_known_at_first() -> None:
    """Before anything was heard the clocks are taken to agree."""
    assert ClockOffset().offset_us == 0
