"""What a good configuration says."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from faultline.config import read_data
from faultline_collector.config import load_config, schema_text
from faultline_collector.fleet import Network, Provider, Region, Service, Target

GOOD = Path(__file__).with_name("good.yaml")

TARGETS = (
    Target(
        "bank-web",
        "bank",
        "web",
        "",
        "http",
        5.0,
        settings={"url": "http://bank.example/", "statuses": [200, "3xx"]},
    ),
    Target(
        "twitter-login",
        "twitter",
        "login",
        "nameco",
        "tcp",
        30.0,
        regions=("in-west", "us-east"),
        settings={"host": "192.0.2.1", "port": 443},
    ),
    Target(
        "twitter-names",
        "twitter",
        "login",
        "nameco",
        "dns",
        60.0,
        home_region="us-east",
        regions=("in-west",),
        settings={"name": "twitter.example"},
    ),
    Target(
        "twitter-web",
        "twitter",
        "web",
        "edgeline",
        "http",
        10.0,
        5.0,
        family=6,
        settings={"url": "https://twitter.example/", "family": "6"},
    ),
)
"""What the good file says is probed."""


def test_fleet_is_sorted_and_complete() -> None:
    """Names default to ids, providers are inherited, durations are seconds, the rest is the kind's."""
    config = load_config(GOOD)
    fleet = config.fleet()
    assert fleet.agents == ()
    assert fleet.regions == (
        Region("in-west", "in-west", "NO", 19.0, 72.9),
        Region("us-east", "US East", "US", 38.9, -77.4),
    )
    assert fleet.networks == (Network(7018, "AS7018"), Network(55836, "Jio"))
    assert fleet.providers == (Provider("edgeline", "Edgeline"), Provider("nameco", "nameco"))
    assert fleet.services == (
        Service("bank", "bank", ("web",)),
        Service("twitter", "Twitter", ("web", "login")),
    )
    assert fleet.targets == TARGETS


def test_defaults_are_safe(tmp_path: Path) -> None:
    """Without a word both listeners are for this machine only, and results last a week."""
    shortest = tmp_path / "collector.yaml"
    data = read_data(GOOD)
    assert isinstance(data, dict)
    shortest.write_text(json.dumps({name: data[name] for name in ("regions", "providers", "services")}))
    config = load_config(shortest)
    assert (config.listen.agents, config.listen.web) == ("127.0.0.1:7443", "127.0.0.1:8080")
    assert (config.listen.tls, config.listen.plaintext_beyond_loopback) == (None, False)
    assert config.retention.raw.days == 7
    assert config.store.startswith("duckdb:///var/lib/faultline/")


def test_listening_everywhere_needs_tls_or_a_word(tmp_path: Path) -> None:
    """With TLS files, or with the flag, agents may come from anywhere."""
    text = GOOD.read_text().replace('"[::1]:0"', '"0.0.0.0:7443", {}')
    for more in ("tls: {certificate: c.pem, key: k.pem}", "plaintext_beyond_loopback: true"):
        path = tmp_path / "collector.yaml"
        path.write_text(text.replace("{}", more, 1))
        assert load_config(path).listen.agents == "0.0.0.0:7443"


def test_schema_takes_the_good_file() -> None:
    """Editors that use it agree with the collector."""
    validator = Draft202012Validator(json.loads(schema_text()))
    assert list(validator.iter_errors(read_data(GOOD))) == []
    assert list(validator.iter_errors({"regions": []})) != []


@pytest.mark.parametrize("host", ["localhost", "127.9.9.9", "[::1]"])
def test_loopback_needs_no_tls(tmp_path: Path, host: str) -> None:
    """What only this machine can reach may be plain."""
    path = tmp_path / "collector.yaml"
    path.write_text(GOOD.read_text().replace("[::1]:0", f"{host}:7443"))
    assert load_config(path).listen.agents == f"{host}:7443"
