"""Which hosts are this machine."""

import pytest

from faultline.hosts import is_loopback


@pytest.mark.parametrize(
    ("host", "said"),
    [
        *((host, True) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]")),
        *((host, False) for host in ("", "localhost.example", "0.0.0.0", "[::]", "10.0.0.1", "127.0.0.1:80")),
    ],
)
def test_what_cannot_leave_the_machine_is_told(host: str, said: bool) -> None:
    """Names but `localhost` may lead anywhere."""
    assert is_loopback(host) is said
