"""Ports of 127.0.0.1: which is free, and whether somebody listens."""

import socket

from faultline_collector.lab.stage import NoRoom

_TRIED = 20


def free_port(wanted: int = 0) -> int:
    """The wanted port, or the next that is free; 0 takes any. Raises NoRoom."""
    for port in range(wanted, wanted + _TRIED) if wanted else (0,):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(trial.getsockname()[1])
    raise NoRoom(f"ports {wanted} to {wanted + _TRIED - 1} of 127.0.0.1 are all taken; name one with --port")


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as trial:
        trial.settimeout(1.0)
        return trial.connect_ex(("127.0.0.1", port)) == 0
