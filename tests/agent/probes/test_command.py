"""`faultline-agent probe`: one probe by hand with its whole story."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import CliRunner, Result

from faultline_agent.commands import main
from faultline_agent.commands.probe import waterfall
from faultline_agent.probes import PROBES
from tests.agent.probes.certificates import Authority
from tests.agent.probes.servers import free_port


class Page(BaseHTTPRequestHandler):
    """One page."""

    def do_GET(self) -> None:
        """Serves it."""
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the parent's
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """A website in a thread, since the command runs a loop of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def probe(*arguments: str) -> Result:
    """Runs the command."""
    return CliRunner().invoke(main, ["probe", *arguments])


def test_story_is_told_in_text(server: ThreadingHTTPServer) -> None:
    """Settings, steps, a waterfall and the outcome; localhost needs no flag."""
    done = probe("http", f"http://127.0.0.1:{server.server_port}/", "--set", "body_contains=hello")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "http probe",
        "requested",
        "reached",
        "answered",
        "timings",
        "ok, status 200",
    ]
    assert "  body_contains: hello" in lines
    assert any(line.startswith("  first_byte ") and line.endswith("#") for line in lines)


def test_story_is_one_json_object(server: ThreadingHTTPServer) -> None:
    """--json prints all of it for programs."""
    done = probe("http", f"http://127.0.0.1:{server.server_port}/", "--json")
    story = json.loads(done.output)
    assert (story["kind"], story["outcome"], story["status"], story["family"]) == ("http", "ok", 200, 4)
    assert [step["step"] for step in story["steps"]] == ["requested", "reached", "answered"]
    assert story["settings"]["follow_redirects"] == 5
    assert {"connect", "first_byte", "total"} == set(story["timings_us"])


def test_tls_is_told(server: ThreadingHTTPServer, authority: Authority) -> None:
    """Protocol, cipher, and whose certificate it is until when."""
    server.socket = authority.server("127.0.0.1").wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.server_port}/"
    done = probe("http", url, "--json", "--set", f"ca_file={authority.file}")
    secured = next(step for step in json.loads(done.output)["steps"] if step["step"] == "secured")
    assert secured["by"].startswith("TLSv1.3 / ")
    assert secured["subject"] == "CN = 127.0.0.1"
    assert secured["ends"].endswith("GMT")


def test_failed_probe_exits_with_one() -> None:
    """And says why in its last line."""
    port = free_port()
    done = probe("tcp", f"127.0.0.1:{port}")
    assert done.exit_code == 1
    assert done.output.splitlines()[-1] == f"connect: connecting to 127.0.0.1:{port}: connection refused"


def test_private_address_needs_the_flag() -> None:
    """A slip of the hand does not reach the metadata service."""
    done = probe("tcp", "169.254.169.254:80")
    assert done.exit_code == 1
    assert "169.254.169.254 is not a public address; --allow-private allows it" in done.output


def test_flag_allows_private_addresses() -> None:
    """0.0.0.0 is no public address, and leads to this machine."""
    at = f"0.0.0.0:{free_port()}"
    assert "0.0.0.0 is not a public address" in probe("tcp", at).output
    assert f"connecting to {at}: connection refused" in probe("tcp", at, "--allow-private").output


def test_resolver_can_be_named() -> None:
    """--resolver goes before the system's."""
    at = f"127.0.0.1:{free_port()}"
    done = probe("dns", "x.example", "--resolver", at)
    assert f"dns: resolver {at}: connection refused" in done.output


BAD = {
    "target without a port": (["tcp", "localhost"], "'localhost' is not of the form host:port"),
    "port out of range": (["tcp", "localhost:70000"], "the port is not between 1 and 65535"),
    "scheme": (["http", "ftp://x/"], "url: 'ftp://x/' is not a URL like https://"),
    "unknown setting": (["http", "http://x/", "--set", "a=1"], "a is not a known setting"),
    "setting without a value": (["http", "http://x/", "--set", "a"], "--set a: is not of the form key=value"),
    "value without a setting": (
        ["http", "http://x/", "--set", "=a"],
        "--set =a: is not of the form key=value",
    ),
    "setting not YAML": (["http", "http://x/", "--set", "a=["], "'[' is not a YAML value"),
    "duration": (["http", "http://x/", "--timeout", "5"], "'5' is not a duration like"),
    "no time": (["http", "http://x/", "--timeout", "0s"], "--timeout: 0s leaves no time"),
    "resolver": (["http", "http://x/", "--resolver", "y"], "'y' is not an address or address:port"),
    "kind": (["icmp", "x"], "'icmp' is not one of"),
}


@pytest.mark.parametrize(("arguments", "said"), BAD.values(), ids=BAD.keys())
def test_bad_input_exits_with_two_and_a_sentence(arguments: list[str], said: str) -> None:
    """No traceback."""
    done = probe(*arguments)
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_help_lists_every_kind_with_its_settings() -> None:
    """From the table."""
    text = " ".join(probe("--help").output.split())
    for kind, each in PROBES.items():
        assert f"{kind} {each.target_form}" in text
        for name, field in each.model_fields.items():
            assert f"{name} {field.description}" in text


def test_waterfall_begins_each_phase_where_the_one_before_ended() -> None:
    """Half and half."""
    lines = list(
        waterfall({"connect": 500, "first_byte": 500, "total": 1000}, ("connect", "first_byte", "total"))
    )
    bars = [line.partition("ms  ")[2] for line in lines]
    assert bars == ["#" * 20, " " * 20 + "#" * 20, "#" * 40]


def test_probes_load_nothing_heavy() -> None:
    """An agent stays light."""
    code = "import sys; had = {*sys.modules}; import faultline_agent.probes; print(*{*sys.modules} - had)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {"rich", "numpy", "grpc", "sqlite3", "structlog"}.isdisjoint(done.stdout.split())
