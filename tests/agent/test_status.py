"""The file in which the agent says how it is."""

import json
from pathlib import Path

from faultline_agent.status import write_atomically


def test_full_disk_leaves_the_status_of_before_and_no_file_a_try(small_disk: Path) -> None:
    """It is written anew every two seconds, however long the disk is full."""
    path = small_disk / "status.json"
    write_atomically(path, {"state": "running"})
    (small_disk / "logs").write_bytes(bytes(1_044_480))
    for _ in range(5):
        write_atomically(path, {"state": "x" * 10_000})
    assert json.loads(path.read_text()) == {"state": "running"}
    assert {file.name for file in small_disk.iterdir()} <= {"status.json", "status.json.new", "logs"}
    (small_disk / "logs").unlink()
    write_atomically(path, {"state": "stopped"})
    assert json.loads(path.read_text()) == {"state": "stopped"}
    assert [file.name for file in small_disk.iterdir()] == ["status.json"]


def test_status_is_written_through_nobodys_link(tmp_path: Path) -> None:
    """The folder may be one in which others write, too."""
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "status.json.new").symlink_to(tmp_path / "victim")
    write_atomically(tmp_path / "status.json", {"state": "running"})
    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "status.json").stat().st_mode & 0o777 == 0o644
