"""Who the agent is towards the collector: until certificates come, a token."""

import os
from pathlib import Path

from faultline.config import BadConfig

VARIABLE = "FAULTLINE_TOKEN"


def read_token(token_file: Path | None, source: str) -> str:
    """The token from its file, else from the environment; raises BadConfig with a sentence."""
    if token_file is None:
        token = os.environ.get(VARIABLE, "").strip()
        if not token:
            raise BadConfig(source, [f"token_file is missing, and {VARIABLE} is not set"])
    else:
        try:
            token = token_file.read_text(encoding="ascii").strip()
        except OSError as error:
            raise BadConfig(source, [f"token_file: {token_file} cannot be read: {error.strerror}"]) from error
        except UnicodeDecodeError as error:
            raise BadConfig(source, [f"token_file: {token_file} does not hold a token"]) from error
    if not token or not token.isprintable() or " " in token:
        raise BadConfig(source, [f"token_file: {token_file or VARIABLE} does not hold a token"])
    return token
