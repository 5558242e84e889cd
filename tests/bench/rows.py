"""The shape of a measured figure."""

from typing import NotRequired, TypedDict


class Row(TypedDict):
    """One figure; where there is one peer, its name, its value in the same run, and value / peer_value."""

    name: str
    value: float
    unit: str
    peer: NotRequired[str]
    peer_value: NotRequired[float]
    ratio: NotRequired[float]
