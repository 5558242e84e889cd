"""Secrets of receivers: from a file or from the environment, never from the configuration itself."""

import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from faultline.config import Settings
from faultline_collector.notify.fate import NotDelivered


class SecretSettings(Settings):
    """Base of settings that name a secret; it is read at each try, so that it may change."""

    secret_file: Annotated[Path | None, Field(description="the file that holds the secret")] = None
    secret_env: Annotated[str, Field(description="or the environment variable that does")] = ""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.secret_file is not None and self.secret_env:
            raise ValueError("secret_file and secret_env cannot both be given")
        return self

    @property
    def has_secret(self) -> bool:
        """Whether a secret is named."""
        return bool(self.secret_file or self.secret_env)

    def secret(self) -> bytes:
        """The secret without white space around it; raises NotDelivered when there is none."""
        if self.secret_file is None:
            found = os.environb.get(self.secret_env.encode(), b"").strip()
            where = f"the environment variable {self.secret_env}"
        else:
            found, where = self._from_file(self.secret_file)
        if not found:
            raise NotDelivered(f"{where} holds no secret")
        return found

    @staticmethod
    def _from_file(path: Path) -> tuple[bytes, str]:
        try:
            return path.read_bytes().strip(), str(path)
        except OSError as error:
            raise NotDelivered(f"the secret in {path} cannot be read: {error.strerror}") from error
