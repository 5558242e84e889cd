"""`faultline check`: whether a configuration is good, and what it holds."""

import json
from pathlib import Path

import click

from faultline.config import BadConfig


@click.command()
@click.argument("path", metavar="CONFIG", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object: what it holds, or its problems.")
def check(path: Path, as_json: bool) -> None:
    """Says what the collector's YAML file holds; exits with 2 and one line a problem when it is not good."""
    from faultline_collector.config import load_config
    from faultline_collector.config_summary import summarise, summary_lines

    try:
        config = load_config(path)
    except BadConfig as error:
        if as_json:
            click.echo(json.dumps({"ok": False, "problems": list(error.problems)}))
        else:
            click.echo(str(error), err=True)
        raise SystemExit(2) from error
    summary = summarise(config)
    if as_json:
        click.echo(json.dumps({"ok": True, **summary}))
        return
    for line in (f"{path} is good", *summary_lines(summary)):
        click.echo(line)
