"""What the tests at a real broker share."""

import pytest

from faultline import mqtt


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no broken broker."""
    monkeypatch.setattr(mqtt, "TIMEOUT_S", 30.0)  # the reason for patching: a constant of time
