"""Which variant of prepared bytes a reader gets."""

import pytest

from faultline_collector.api.prepared import accepts_gzip, prepare


@pytest.mark.parametrize(
    ("accepted", "said"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("deflate", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, br", False),
        ("gzip;q=0.001", True),
        ("xgzip", False),
    ],
)
def test_gzip_is_used_only_where_it_is_accepted(accepted: str, said: bool) -> None:
    """A quality of zero refuses it."""
    assert accepts_gzip(accepted) is said


def test_a_small_body_is_not_packed() -> None:
    """It would grow."""
    assert prepare(b"{}").packed is None


def test_equal_content_has_equal_tags_and_packed_bytes() -> None:
    """Also after a restart."""
    one, two = prepare(b"x" * 1000), prepare(b"x" * 1000)
    assert (one.tag, one.packed) == (two.tag, two.packed)
    assert prepare(b"y" * 1000).tag != one.tag
