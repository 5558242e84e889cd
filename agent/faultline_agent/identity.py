"""Who the agent is towards the collector: until certificates come, a token."""

import os
from collections.abc import Mapping
from pathlib import Path

from faultline.config import BadConfig

VARIABLE, FILE_VARIABLE = "FAULTLINE_TOKEN", "FAULTLINE_TOKEN_FILE"


def read_token(
    token_file: Path | None, source: str, environment: Mapping[str, str] = os.environ, *, needed: bool = True
) -> str:
    """The token: from the file that the environment names, else token_file, else the environment itself.

    Raises BadConfig with a sentence; where none is given and none is needed, it is empty.
    """
    named = environment.get(FILE_VARIABLE)
    path = Path(named) if named else token_file
    if path is None:
        text, place = environment.get(VARIABLE, ""), VARIABLE
        if not text and not needed:
            return ""
        if not text:
            raise BadConfig(source, [f"token_file is missing, and {VARIABLE} is not set"])
    else:
        text, place = _read(path, source), str(path)
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise BadConfig(source, [f"token_file: {place} does not hold a token"])
    return token


def _read(path: Path, source: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadConfig(source, [f"token_file: {path} cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise BadConfig(source, [f"token_file: {path} does not hold a token"]) from error
