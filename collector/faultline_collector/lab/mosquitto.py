"""Mosquitto, the MQTT broker: where it is found, and its configuration and passwords on this machine."""

import base64
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

COLLECTOR_USER = "faultline-collector"
"""The broker's user that the collector is."""

ACL = """\
pattern write faultline/v1/agents/%u/up/#
pattern read faultline/v1/agents/%u/down
user faultline-collector
topic read faultline/v1/agents/+/up/#
topic write faultline/v1/agents/+/down
topic readwrite faultline/v1/outages/#
topic readwrite faultline/v1/services/#
topic readwrite faultline/v1/collectors/faultline-collector
user faultline-reader
topic read faultline/v1/outages/#
topic read faultline/v1/services/#
"""
"""The rules of deploy/mosquitto/acl; a test compares them."""

_ITERATIONS = 101
_SALT_BYTES = 12


def find_mosquitto() -> Path | None:
    """The one on PATH, or where Debian puts it."""
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return Path(found) if found else None


def write_mosquitto(folder: Path, port: int, passwords: Mapping[str, str]) -> Path:
    """Writes configuration, ACL and passwords of a broker on 127.0.0.1; gives the configuration's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "acl").write_text(ACL, encoding="utf-8")
    write_passwords(folder / "passwords", passwords)
    lines = (
        "user root",  # started by root it would become another, who may not read the folder
        f"listener {port} 127.0.0.1",
        "allow_anonymous false",
        f"password_file {folder / 'passwords'}",
        f"acl_file {folder / 'acl'}",
        "use_username_as_clientid true",
        "persistence true",
        f"persistence_location {folder}/",
        "message_size_limit 4259840",
        "max_inflight_messages 1000",
        "max_queued_messages 10000",
        "max_queued_bytes 67108864",
        "set_tcp_nodelay true",
        "log_dest stderr",
    )
    config = folder / "mosquitto.conf"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return config


def write_passwords(file: Path, passwords: Mapping[str, str]) -> None:
    """Writes a password file as mosquitto_passwd does: PBKDF2 with SHA-512, a salt each."""
    file.touch(mode=0o600)
    file.write_text("".join(f"{user}:{_hashed(word)}\n" for user, word in passwords.items()), "utf-8")


def _hashed(password: str) -> str:
    salt = os.urandom(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
