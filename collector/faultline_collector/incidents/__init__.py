"""Real incidents as worlds to replay: one YAML file each, with its sources."""

from pathlib import Path

FOLDER = Path(__file__).parent
SUFFIX = ".yaml"


class UnknownIncident(Exception):
    """Raised when there is no incident of a name; its text is one sentence."""


def incident_names() -> tuple[str, ...]:
    """The incidents that are shipped, by name."""
    return tuple(sorted(file.stem for file in FOLDER.glob(f"*{SUFFIX}")))
