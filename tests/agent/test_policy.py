"""What the agent may be told to probe."""

import pytest

from faultline_agent.policy import Policy, network, port_range

OPEN = Policy()


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3", "172.16.0.1", "192.168.1.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1", "::",
        "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "[::1]", "fec0::1", "64:ff9b:1::a00:1",
        "::10.0.0.1", "::ffff:0:10.0.0.1", "192.0.0.192", "168.63.129.16", "::ffff:168.63.129.16",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    """A collector must not use the agent to look into the network it stands in."""
    assert "is not a public address" in OPEN.refusal(address, 443)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "[2606:4700:4700::1111]"])
def test_public_addresses_are_allowed(address: str) -> None:
    """That is what the agent is for."""
    assert OPEN.refusal(address, 443) == ""


def test_named_range_allows_what_is_private() -> None:
    """The operator decides."""
    policy = Policy(networks=(network("10.0.0.0/8"), network("fd00::/8")))
    assert policy.refusal("10.9.9.9", 80) == ""
    assert policy.refusal("::ffff:10.9.9.9", 80) == ""
    assert policy.refusal("fd00::7", 80) == ""
    assert policy.refusal("192.168.0.1", 80) != ""
    assert policy.refusal("1.1.1.1", 80) == ""


def test_only_named_ranges_when_asked_for() -> None:
    """Public addresses are then refused as well."""
    policy = Policy(networks=(network("9.9.9.0/24"),), only_networks=True)
    assert policy.refusal("9.9.9.9", 53) == ""
    assert policy.refusal("1.1.1.1", 53) == "this agent's policy does not allow 1.1.1.1"


def test_ports_and_kinds_outside_the_lists_are_refused() -> None:
    """Empty lists allow all."""
    policy = Policy(ports=((443, 443), (8000, 8999)), kinds=("http",))
    assert policy.refusal("1.1.1.1", 443) == ""
    assert policy.refusal("1.1.1.1", 8080) == ""
    assert policy.refusal("1.1.1.1", 22) == "this agent's policy does not allow port 22"
    assert policy.kind_refusal("http") == ""
    assert policy.kind_refusal("tcp") == "this agent's policy allows no tcp probes"
    assert OPEN.kind_refusal("tcp") == ""


def test_what_is_no_address_is_refused() -> None:
    """Names are judged when they are resolved."""
    assert OPEN.refusal("localhost", 80) == "'localhost' is not an address"


def test_endpoints_are_judged_by_what_is_known_before_resolving() -> None:
    """A literal address at once, a name by its port alone."""
    policy = Policy(ports=((443, 443),))
    assert policy.endpoints_refusal([("example.com", 443), ("1.1.1.1", 443)]) == ""
    assert "port 80" in policy.endpoints_refusal([("example.com", 443), ("example.com", 80)])
    assert "169.254.169.254" in policy.endpoints_refusal([("169.254.169.254", 443)])


@pytest.mark.parametrize(
    ("text", "ports"), [("443", (443, 443)), (80, (80, 80)), ("8000-8999", (8000, 8999))]
)
def test_port_range_is_read(text: str | int, ports: tuple[int, int]) -> None:
    """One port or a range."""
    assert port_range(text) == ports


@pytest.mark.parametrize("text", ["0", "70000", "9-3", "x", "-1", "1-", "", "1-2-3", "²"])
def test_what_is_no_port_range_gets_a_sentence(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="is not"):
        port_range(text)
