"""What an agent can gather of a target at the moment of failure: one entry a kind."""

from collections.abc import Mapping

from faultline_agent.proofs.certificate import gather_certificate
from faultline_agent.proofs.names import gather_names
from faultline_agent.proofs.path import gather_path
from faultline_agent.proofs.proof import Gather
from faultline_agent.proofs.story import gather_story

PROOFS: Mapping[str, Gather] = {
    "story": gather_story,
    "dns": gather_names,
    "certificate": gather_certificate,
    "traceroute": gather_path,
}
