"""Where the token comes from."""

from pathlib import Path

import pytest

from faultline.config import BadConfig
from faultline_agent.identity import read_token


def test_token_comes_from_the_named_file_then_the_configured_one_then_the_environment(tmp_path: Path) -> None:
    """What the operator says at the start goes first."""
    named, configured = tmp_path / "named", tmp_path / "configured"
    named.write_text("first\n")
    configured.write_text("second\n")
    everything = {"FAULTLINE_TOKEN_FILE": str(named), "FAULTLINE_TOKEN": "third"}
    assert read_token(configured, "agent.yaml", everything) == "first"
    assert read_token(configured, "agent.yaml", {"FAULTLINE_TOKEN": "third"}) == "second"
    assert read_token(None, "agent.yaml", {"FAULTLINE_TOKEN": " third "}) == "third"


def test_missing_token_gets_a_sentence() -> None:
    """It says both places."""
    with pytest.raises(
        BadConfig, match=r"agent\.yaml: token_file is missing, and FAULTLINE_TOKEN is not set"
    ):
        read_token(None, "agent.yaml", {})
    assert read_token(None, "agent.yaml", {}, needed=False) == ""


@pytest.mark.parametrize("content", [b"", b"  \n", b"two words", b"\xff\xfe", "schlüssel".encode(), b"a\0b"])
def test_file_without_a_token_gets_a_sentence(tmp_path: Path, content: bytes) -> None:
    """And never shows what it held."""
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(BadConfig) as raised:
        read_token(path, "agent.yaml", {})
    assert raised.value.problems == (f"token_file: {path} does not hold a token",)


def test_unreadable_file_gets_a_sentence(tmp_path: Path) -> None:
    """With the reason."""
    with pytest.raises(BadConfig, match="cannot be read: No such file or directory"):
        read_token(tmp_path / "none", "agent.yaml", {})
