"""What Faultline's agents and collector agree on. Imports nothing of theirs."""

PROTOCOL = 1
"""Version of the wire protocol; a collector refuses an agent that speaks another."""
