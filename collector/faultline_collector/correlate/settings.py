"""The settings of correlation: prior costs, thresholds and time constants, each with its unit."""

from typing import Annotated

from pydantic import Field

from faultline.config import Between, Settings


class Costs(Settings):
    """What a cause must be worth before it is believed, in nats: -ln of its hazard a minute."""

    service: Annotated[float, Between(0, 100)] = Field(
        default=11.4, description="a service, everywhere; nats"
    )
    component: Annotated[float, Between(0, 100)] = Field(
        default=12.4, description="one component, everywhere; nats"
    )
    provider: Annotated[float, Between(0, 100)] = Field(
        default=12.5, description="a provider, everywhere; nats"
    )
    some_regions: Annotated[float, Between(0, 100)] = Field(
        default=1.6, description="added when only some regions see it; nats"
    )
    each_region: Annotated[float, Between(0, 100)] = Field(
        default=3.0, description="added for each such region; nats"
    )
    some_networks: Annotated[float, Between(0, 100)] = Field(
        default=2.5, description="added when only some networks of the regions see it; nats"
    )
    network: Annotated[float, Between(0, 100)] = Field(default=12.5, description="a network everywhere; nats")
    region: Annotated[float, Between(0, 100)] = Field(default=12.5, description="a region's access; nats")
    network_in_region: Annotated[float, Between(0, 100)] = Field(
        default=12.5, description="a network in one region; nats"
    )
    agent: Annotated[float, Between(0, 100)] = Field(default=10.7, description="one agent; nats")
    cohort: Annotated[float, Between(0, 100)] = Field(
        default=14.0, description="agents with one bundle of authorities or one version; nats"
    )
    each_service: Annotated[float, Between(0, 100)] = Field(
        default=1.0, description="added for each service that a cohort fails; nats"
    )
    path: Annotated[float, Between(0, 100)] = Field(
        default=11.1, description="one agent and one service; nats"
    )
    collector: Annotated[float, Between(0, 100)] = Field(
        default=12.5, description="the collector's own way; nats"
    )
    flaky_cell: Annotated[float, Between(0, 100)] = Field(
        default=8.0, description="a flaky path for a minute; nats"
    )
    agent_burst: Annotated[float, Between(0, 100)] = Field(
        default=6.5, description="a bad minute of an agent; nats"
    )
    part_of_group: Annotated[float, Between(0, 100)] = Field(
        default=1.5, description="added when only a part of a group's agents is hit; nats"
    )


FEW_NATS = 20.0
"""What all agents, or all networks, of a fleet of one or two may say together, nats: enough to be told."""


class EngineSettings(Settings):
    """How the correlation engine weighs, opens, confirms and closes."""

    costs: Costs = Field(default_factory=Costs, description="prior costs of the causes, nats")
    open_nats: Annotated[float, Between(0, 100)] = Field(
        default=6.0, description="what a cause must exceed its cost by to be suspected; nats"
    )
    open_network_nats: Annotated[float, Between(0, 100)] = Field(
        default=7.5, description="the same for a network or a region's access; nats"
    )
    open_agent_nats: Annotated[float, Between(0, 100)] = Field(
        default=9.0, description="the same for a single agent, whose bad minutes are many; nats"
    )
    hold_s: Annotated[float, Between(0, 3600)] = Field(
        default=40.0,
        description="how long a suspicion must last to be confirmed, so that no blip pages anyone; seconds",
    )
    agent_cap_nats: Annotated[float, Between(0, 100)] = Field(
        default=9.0, description="most that one agent adds to a wider cause; nats"
    )
    access_cap_nats: Annotated[float, Between(0, 100)] = Field(
        default=14.0, description="most that one agent adds to a network or a region's access; nats"
    )
    network_cap_nats: Annotated[float, Between(0, 100)] = Field(
        default=9.0, description="most that one network adds to a global cause; nats"
    )
    close_nats: Annotated[float, Between(0, 100)] = Field(
        default=10.0, description="evidence of recovery that closes an outage; nats"
    )
    probed_again: Annotated[float, Between(0, 1)] = Field(
        default=0.6, description="share of the failed cells that must have been probed again before closing"
    )
    reopen_s: Annotated[float, Between(0, 86400)] = Field(
        default=420.0, description="within this time after its end the same outage opens again; seconds"
    )
    p0_prior: Annotated[float, Between(0.00001, 0.5)] = Field(
        default=0.002, description="share of failures of a healthy cell before anything is learned"
    )
    p0_floor: Annotated[float, Between(0.00001, 0.5)] = Field(
        default=0.0005, description="least share of failures that is believed of a healthy cell"
    )
    p0_cap: Annotated[float, Between(0.001, 1)] = Field(
        default=0.5, description="most share of failures that is taken for healthy"
    )
    late_s: Annotated[float, Between(0.1, 3600)] = Field(
        default=6.0,
        description="results delivered later than this after their end are history, not news; seconds",
    )
    unwell_s: Annotated[float, Between(0, 3600)] = Field(
        default=2.0, description="how long an agent must say that it is unwell to be believed; seconds"
    )
    lone_silence_s: Annotated[float, Between(1, 86400)] = Field(
        default=180.0,
        description="how long a single agent must be silent to be an outage of its own; seconds",
    )
    slow_least_s: Annotated[float, Between(0.001, 3600)] = Field(
        default=0.015,
        description="what a probe must take longer than is usual for it to count as slow; seconds",
    )
    silence_floor_s: Annotated[float, Between(0.1, 3600)] = Field(
        default=4.0, description="least gap in an agent's deliveries that counts as silence; seconds"
    )

    def agent_cap(self, agents: int) -> float:
        """Most that one of so many agents adds to a wider cause; where they are few it must do; nats."""
        return max(self.agent_cap_nats, FEW_NATS / max(agents, 1))

    def network_cap(self, networks: int) -> float:
        """Most that one of so many networks adds to a global cause; nats."""
        return max(self.network_cap_nats, FEW_NATS / max(networks, 1))
