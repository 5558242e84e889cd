"""Every bad configuration gets exactly its sentences."""

from pathlib import Path

import pytest

from faultline.config import BadConfig
from faultline_collector.config import load_config

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
SAYS = "# says: "


@pytest.mark.parametrize("path", BAD, ids=[path.stem for path in BAD])
def test_bad_configuration_gets_its_sentences(path: Path) -> None:
    """All problems of the file, as its first lines tell, and no others."""
    lines = path.read_text(encoding="utf-8").splitlines()
    expected = [line.removeprefix(SAYS) for line in lines if line.startswith(SAYS)]
    assert expected
    with pytest.raises(BadConfig) as caught:
        load_config(path)
    assert list(caught.value.problems) == expected
