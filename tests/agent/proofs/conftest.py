"""What the tests of probes stand on, for the tests of proof: tools, an authority, a name server."""

from tests.agent.probes.conftest import authority, names, resolving_tools, six, tools

__all__ = ["authority", "names", "resolving_tools", "six", "tools"]
