"""The program `faultline-agent`."""

from faultline.start import start


def main() -> None:
    """Runs the command that the arguments name."""
    start("faultline_agent.commands")


if __name__ == "__main__":
    main()
