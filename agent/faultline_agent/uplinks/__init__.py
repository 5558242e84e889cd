"""Ways to the collector: one file each, one line in the table."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultline_agent.uplinks.uplink import Uplink
    from faultline_agent.way import Way

UPLINKS = {
    "grpc": "faultline_agent.uplinks.grpc:GrpcUplink",
    "grpcs": "faultline_agent.uplinks.grpc:GrpcUplink",
    "mqtt": "faultline_agent.uplinks.mqtt:MqttUplink",
    "mqtts": "faultline_agent.uplinks.mqtt:MqttUplink",
    "memory": "faultline_agent.uplinks.memory:MemoryUplink",
}
"""Uplinks by the scheme of the collector's URL, as `module:class`; `open(way)` makes one."""


def open_uplink(way: "Way") -> "Uplink":
    """Makes the uplink of a way's scheme; imports no other."""
    module, _, name = UPLINKS[way.address.scheme].partition(":")
    uplink: Uplink = getattr(import_module(module), name).open(way)
    return uplink
