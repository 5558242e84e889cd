"""Where agents and collectors speak over MQTT, and how long what they say is of use."""

ROOT = "faultline/v1"
GROUP = "faultline"
"""The shared subscription of all collectors."""

QOS = 1
"""At least once: what comes twice is recognised by its sequences, and what the broker loses is sent again."""

SESSION_S = 300
"""How long the broker keeps the session of a client that is away."""

KEEPALIVE_S = 10
"""A client that is silent for one and a half times as long is taken for gone by the broker."""

HELLO_S, MESSAGE_S = 10, 60
"""How long a Hello or a heartbeat, and anything else, is of use: the broker discards what waited longer."""


def up(agent_id: str) -> str:
    """Where an agent says Hello: one collector of the group hears it."""
    return f"{ROOT}/agents/{agent_id}/up"


def up_at(agent_id: str, collector: str) -> str:
    """Where an agent says everything else: only the collector that welcomed it hears it."""
    return f"{up(agent_id)}/at/{collector}"


def last(agent_id: str) -> str:
    """Where the broker publishes the last will of an agent: every collector hears it."""
    return f"{up(agent_id)}/last"


def down(agent_id: str) -> str:
    """Where an agent is spoken to."""
    return f"{ROOT}/agents/{agent_id}/down"


def heard_by(collector: str) -> tuple[str, str, str]:
    """What a collector subscribes to: its share of all Hellos, what is said to itself, and last wills."""
    return f"$share/{GROUP}/{up('+')}", up_at("+", collector), last("+")


def speaker(topic: str) -> str:
    """The agent that a topic of `heard_by` belongs to; the broker's access list vouches for it."""
    return topic.removeprefix(f"{ROOT}/agents/").partition("/")[0]


def collector(user: str) -> str:
    """Where a collector claims its user at the broker."""
    return f"{ROOT}/collectors/{user}"


def service(service_id: str) -> str:
    """Where the state of a service is retained."""
    return f"{ROOT}/services/{service_id}"


def outage(outage_id: str) -> str:
    """Where an open outage is retained."""
    return f"{ROOT}/outages/{outage_id}"


def is_level(name: str) -> bool:
    """Whether a name can be one level of a topic."""
    return bool(name) and not set(name) & set("/+#\0")
