"""The agent's configuration: good ones, and the exact sentence that each bad one gets."""

from datetime import timedelta
from pathlib import Path

import pytest

from faultline.columns import ID_WORDS
from faultline.config import BadConfig, parse_config
from faultline_agent.config import AgentConfig
from faultline_agent.way import parse_url

LEAST = "agent: a\ncollector: grpc://127.0.0.1:7443\n"

FULL = """
agent: in-west-1
collector: grpcs://collector.example:7443
token_file: /etc/faultline/token
tls: {authorities: ca.pem, certificate: c.pem, key: k.pem}
spool: {path: /var/lib/x/spool.db, max_bytes: 64MiB, max_age: 2d}
resolvers: ["127.0.0.53", "9.9.9.9:5353", "::1", "[::1]:53"]
references:
  every: 5s
  targets:
    - {kind: tcp, host: 1.1.1.1, port: 443}
    - {kind: dns, name: example.com, resolvers: ["8.8.8.8"]}
policy: {networks: [10.0.0.0/8], ports: [443, 8000-8999], kinds: [http]}
status: /run/x/status.json
"""


def read(text: str) -> AgentConfig:
    """A configuration from its text."""
    return parse_config(text, AgentConfig, "agent.yaml")


def test_full_configuration_is_read() -> None:
    """Every setting has its meaning."""
    config = read(FULL)
    assert config.spool.max_bytes == 64 * 1024**2
    assert config.spool.max_age == timedelta(days=2)
    assert config.tls.files().key == Path("k.pem")
    assert list(config.references.probes()) == ["tcp 1.1.1.1:443", "dns example.com A at 8.8.8.8"]
    policy = config.policy.policy()
    assert policy.refusal("10.1.1.1", 8080) == ""
    assert policy.refusal("10.1.1.1", 22) != ""
    assert config.status_path == Path("/run/x/status.json")


def test_references_are_told_apart_and_keep_their_secrets() -> None:
    """Their names stand in logs, in the status and with the collector."""
    page = "{kind: http, url: 'https://me:hush@x.example/y?key=hush', headers: {A: hush}, body: hush"
    targets = [
        f"{page}}}",
        f"{page}}}",
        f"{page}, family: '6'}}",
        "{kind: tcp, host: '::1', port: 9, send: hush}",
    ]
    config = read(f"{LEAST}references: {{targets: [{', '.join(targets)}]}}")
    assert list(config.references.probes()) == [
        "http https://x.example/y",
        "http https://x.example/y (2)",
        "http https://x.example/y over IPv6",
        "tcp [::1]:9",
    ]


def test_least_configuration_has_defaults() -> None:
    """An id and an address are enough."""
    config = read(LEAST)
    assert config.spool.max_bytes == 256 * 1024**2
    assert config.status_path == Path("/var/lib/faultline-agent/spool.db.status.json")
    assert config.references.targets == ()
    assert config.policy.policy().refusal("127.0.0.1", 80) != ""


UNKNOWN_COLOUR = (
    "colour is not a known setting; known are agent, collector, token_file, tls, plaintext_beyond_loopback, "
    "spool, resolvers, references, policy, status"
)

BAD = {
    "agent: a": ["collector is missing"],
    "collector: memory://": ["agent is missing"],
    LEAST + "resolver: x": ["resolver is not a known setting; is resolvers meant?"],
    LEAST + "colour: red": [UNKNOWN_COLOUR],
    "agent: ''\ncollector: memory://": [f"agent: '' is not {ID_WORDS}"],
    "agent: münchen\ncollector: grpcs://x:1": [f"agent: 'münchen' is not {ID_WORDS}"],
    "agent: 5\ncollector: memory://": ["agent: 5 is not text"],
    "agent: a\ncollector: http://x:1": [
        "collector: 'http://x:1' does not begin with one of grpc://, grpcs://, mqtt://, mqtts://, memory://"
    ],
    "agent: a\ncollector: nonsense": ["collector: 'nonsense' is not a URL like grpc://host:7443"],
    "agent: a\ncollector: grpcs://x:70000": [
        "collector: 'grpcs://x:70000' is not a URL like grpc://host:7443: Port out of range 0-65535"
    ],
    "agent: a\ncollector: grpcs://x:0": ["collector: 'grpcs://x:0' is not a URL like grpc://host:7443"],
    "agent: a\ncollector: grpcs://:7443": ["collector: 'grpcs://:7443' is not a URL like grpc://host:7443"],
    "agent: a\ncollector: memory://x": ["collector: 'memory://x' is not a URL like grpc://host:7443"],
    "agent: a\ncollector: 'grpcs://x#y'": ["collector: 'grpcs://x#y' has more than scheme, host and port"],
    "agent: a\ncollector: grpcs://me:secret@x:1": [
        "collector: grpcs://x: no name or password belongs into the URL"
    ],
    "agent: a\ncollector: grpcs://x:1/path": [
        "collector: 'grpcs://x:1/path' has more than scheme, host and port"
    ],
    "agent: a\ncollector: grpc://far.example:7443": [
        "the whole file: collector: 'grpc://far.example:7443' would carry the token unencrypted beyond this "
        "machine; use grpcs:// or set plaintext_beyond_loopback: true"
    ],
    "agent: a\ncollector: mqtt://far.example": [
        "the whole file: collector: 'mqtt://far.example' would carry the token unencrypted beyond this "
        "machine; use mqtts:// or set plaintext_beyond_loopback: true"
    ],
    "agent: a/b\ncollector: mqtts://far.example": [f"agent: 'a/b' is not {ID_WORDS}"],
    LEAST + "tls: {certificate: c.pem}": ["tls: certificate and key come together or not at all"],
    LEAST + "spool: {max_bytes: 10}": ["spool.max_bytes: 10 is less than 1048576 (1MiB)"],
    LEAST + "spool: {max_bytes: much}": ["spool.max_bytes: 'much' is not a size like 256MiB"],
    LEAST + "spool: {max_bytes: true}": ["spool.max_bytes: True is not a size like 256MiB"],
    LEAST + "spool: {max_age: 5s}": ["spool.max_age: 5s is less than 1m"],
    LEAST + "spool: {max_age: 7}": ["spool.max_age: 7 is not a duration like 500ms, 30s, 5m, 2h or 7d"],
    LEAST + "spool: 5": ["spool: 5 is not a mapping of settings"],
    LEAST + "resolvers: [dns.google]": ["resolvers[0]: 'dns.google' is not an address or address:port"],
    LEAST + "resolvers: ['1.1.1.1:0']": ["resolvers[0]: '1.1.1.1:0' is not an address or address:port"],
    LEAST + "references: {every: 10ms}": ["references.every: 10ms is less than 1s"],
    LEAST + "references: {targets: [{kind: smoke}]}": [
        "references.targets[0].kind: 'smoke' is not one of http, tcp, dns"
    ],
    LEAST + "references: {targets: [{kind: tcp, host: x, port: 70000, colour: red}]}": [
        "references.targets[0].port: 70000 is not between 1 and 65535",
        "references.targets[0].colour is not a known setting; known are host, port, family, send, expect",
    ],
    LEAST + "policy: {networks: [10.0.0.1/8]}": [
        "policy.networks[0]: '10.0.0.1/8' is not an address range like 10.0.0.0/8"
    ],
    LEAST + "policy: {ports: [0]}": ["policy.ports[0]: 0 is not within 1-65535"],
    LEAST + "policy: {ports: [x]}": ["policy.ports[0]: 'x' is not a port or a range like 8000-8999"],
    LEAST + "policy: {ports: [1.5]}": ["policy.ports[0]: 1.5 is not a port or a range like 8000-8999"],
    LEAST + "policy: {kinds: [smoke]}": ["policy.kinds[0]: 'smoke' is not one of http, tcp, dns"],
    "agent: [": ["line 1, column 9: not YAML: expected the node content, but found '<stream end>'"],
    "- 1": ["the whole file: [1] is not a mapping of settings"],
    "token-of-an-agent": ["the whole file: text is not a mapping of settings"],
    LEAST + "references: {targets: [{kind: http, url: 'http://x/', headers: {X-Api-Key: \"a\\n\"}}]}": [
        "references.targets[0].headers.X-Api-Key: (not told) is not one line of text"
    ],
    "collector: x\nspool: {max_bytes: no}\ncolour: red": [
        "agent is missing",
        "collector: 'x' is not a URL like grpc://host:7443",
        "spool.max_bytes: 'no' is not a size like 256MiB",
        UNKNOWN_COLOUR,
    ],
}
"""Bad configurations, and everything that is said about each."""


@pytest.mark.parametrize("text", BAD)
def test_bad_configuration_gets_its_sentences(text: str) -> None:
    """All problems at once, each with path, value and what is allowed."""
    with pytest.raises(BadConfig) as raised:
        read(text)
    assert list(raised.value.problems) == BAD[text]


@pytest.mark.parametrize(
    "url", ["grpc://localhost:1", "grpc://[::1]:1", "grpc://127.0.0.9:1", "grpcs://far.example", "memory://"]
)
def test_what_cannot_leave_the_machine_or_is_encrypted_needs_no_flag(url: str) -> None:
    """The token stays unreadable to others."""
    assert read(f"agent: a\ncollector: '{url}'").collector == url


def test_plaintext_leaves_the_machine_when_told_to() -> None:
    """By a flag that nobody sets by accident."""
    config = read("agent: a\ncollector: grpc://far.example:1\nplaintext_beyond_loopback: true")
    assert config.collector == "grpc://far.example:1"


@pytest.mark.parametrize(
    ("url", "tls", "needed"),
    [
        pytest.param("mqtts://broker.example", "{certificate: c.pem, key: k.pem}", False, id="certificate"),
        pytest.param("mqtts://broker.example", "{}", True, id="password"),
        pytest.param("grpcs://collector.example", "{certificate: c.pem, key: k.pem}", True, id="grpc"),
    ],
)
def test_token_is_needed_unless_a_broker_takes_the_certificate(url: str, tls: str, needed: bool) -> None:
    """Over gRPC the token says who the agent is, whatever certificate it shows."""
    assert read(f"agent: a\ncollector: {url}\ntls: {tls}").needs_token is needed


@pytest.mark.parametrize(
    ("url", "port"), [("grpcs://x", 7443), ("mqtt://x", 1883), ("mqtts://x", 8883), ("mqtts://x:9", 9)]
)
def test_port_may_be_left_out(url: str, port: int) -> None:
    """Each scheme has its usual one."""
    assert parse_url(url).port == port
