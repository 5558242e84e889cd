"""Probe kinds: one file a kind, one line in the table."""

from faultline_agent.probes.dns import DnsProbe
from faultline_agent.probes.http import HttpProbe
from faultline_agent.probes.probe import Probe
from faultline_agent.probes.tcp import TcpProbe

PROBES: dict[str, type[Probe]] = {
    "http": HttpProbe,
    "tcp": TcpProbe,
    "dns": DnsProbe,
}
