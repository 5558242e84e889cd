"""What is made from the models and lies in the repository."""

from pathlib import Path

import pytest

from scripts import documents

PATHS = {
    str(path.relative_to(documents.ROOT)) for path in documents.ROOT.glob("*/faultline*/**/*.schema.json")
}


def test_every_document_says_what_the_code_says() -> None:
    """`make protos` writes them anew."""
    assert documents.stale() == []


def test_every_schema_in_the_packages_is_in_the_table() -> None:
    """None is kept by hand."""
    assert {name for name in documents.DOCUMENTS if name.endswith(".schema.json")} == PATHS


def test_what_is_missing_or_stale_is_named_and_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check says which, and what to run."""
    with pytest.raises(SystemExit, match=r"^not current \(run `make protos`\): .*docs/settings.md"):
        documents.main(["--check"], tmp_path)
    documents.main([], tmp_path)
    (tmp_path / "docs/openapi.json").write_text("{}")
    assert documents.stale(tmp_path) == ["docs/openapi.json"]
    documents.main([], tmp_path)
    documents.main(["--check"], tmp_path)
    assert capsys.readouterr().out.endswith("are current\n")
