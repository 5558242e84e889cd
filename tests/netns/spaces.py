"""Network namespaces of one test run, and links between them; none outlives it."""

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

Value = TypeVar("Value")

_NAMED = Path("/run/netns")
_PREFIX = "faultline"
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


def missing() -> str:
    """Why there can be no namespaces here, in a sentence; empty when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for name, package in (("ip", "iproute2"), ("nft", "nftables")):
        if shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            return f"{name} is not installed (apt-get install {package})"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True)
    return f"the kernel gives no network namespace: {tried.stderr.strip()}" if tried.returncode else ""


def run(*words: str) -> None:
    """Runs a command to its end; what it complains of is the error."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr.strip()}"


class Spaces:
    """Makes namespaces by short names; on leaving all of them are gone, and so is what lay in them."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def __enter__(self) -> "Spaces":
        _sweep()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self._names:
            subprocess.run(["ip", "netns", "del", self.full(name)], capture_output=True, timeout=30)
        self._names.clear()

    def full(self, name: str) -> str:
        """How the system calls it."""
        return f"{_PREFIX}-{os.getpid()}-{name}"

    def add(self, name: str, *addresses: str, forwards: bool = False) -> None:
        """A new namespace with these addresses of its own; it may pass on packets of others."""
        self._names.append(name)
        run("ip", "netns", "add", self.full(name))
        self.ip(name, "link", "set", "lo", "up")
        for address in addresses:
            self.ip(name, "address", "add", f"{address}/32", "dev", "lo")
        if forwards:
            self.within(name, lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))

    def link(self, near: str, far: str, subnet: str) -> None:
        """A wire between two: `near` is .1 of the subnet's /24 on `to-FAR`, `far` .2 on `out`."""
        run(
            "ip", "link", "add", f"to-{far}", "netns", self.full(near),
            "type", "veth", "peer", "name", "out", "netns", self.full(far),
        )  # fmt: skip
        for name, device, host in ((near, f"to-{far}", 1), (far, "out", 2)):
            self.ip(name, "address", "add", f"{subnet}.{host}/24", "dev", device)
            self.ip(name, "link", "set", "dev", device, "up")
        self.ip(far, "route", "add", "default", "via", f"{subnet}.1")

    def ip(self, name: str, *words: str) -> None:
        """Runs `ip` there."""
        run("ip", "-netns", self.full(name), *words)

    def nft(self, name: str, rules: str) -> None:
        """Runs nft commands there."""
        run("ip", "netns", "exec", self.full(name), "nft", rules)

    def command(self, name: str, *words: str) -> list[str]:
        """The command that runs these words there."""
        return ["ip", "netns", "exec", self.full(name), *words]

    def within(self, name: str, act: Callable[[], Value]) -> Value:
        """Does something there, in a thread of its own, and gives what it gave."""
        found: list[Value] = []
        failed: list[BaseException] = []

        def body() -> None:
            try:
                self.enter(name)
                found.append(act())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return found[0]

    def enter(self, name: str) -> None:
        """Moves the calling thread, and threads that it starts from now on, there for good."""
        with (_NAMED / self.full(name)).open() as space:
            if _LIBC.setns(space.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {name}")


def _sweep() -> None:
    """Removes what runs that were killed have left."""
    for path in _NAMED.glob(f"{_PREFIX}-*-*") if _NAMED.is_dir() else ():
        if not Path(f"/proc/{path.name.split('-')[1]}").exists():
            subprocess.run(["ip", "netns", "del", path.name], capture_output=True, timeout=30)
