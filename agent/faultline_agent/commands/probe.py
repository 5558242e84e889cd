"""The command `faultline-agent probe`: one probe by hand with its whole story."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import click
import uvloop
import yaml

from faultline.columns import TOTAL
from faultline.config import BadConfig, parse_data
from faultline.durations import parse_duration
from faultline.outcomes import Outcome
from faultline_agent.probes import PROBES
from faultline_agent.probes.probe import Finding, Probe
from faultline_agent.probes.tools import open_tools, refuse_nothing
from faultline_agent.probes.tools.endpoints import checked_resolver

BAR_WIDTH = 40
"""Characters that stand for the longest time of a waterfall."""


def refuse_private(address: str, port: int) -> str:
    """What a person may probe without a flag: this machine and public addresses."""
    parsed = ip_address(address.partition("%")[0])
    if parsed.is_loopback or parsed.is_global:
        return ""
    return f"{address} is not a public address; --allow-private allows it"


@dataclass(slots=True)
class ToldSteps:
    """Keeps the steps of one probe; meets `Story`."""

    steps: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def tell(self, step: str, **facts: Any) -> None:
        """Notes one step with its facts."""
        self.steps.append((step, facts))


def read_settings(kind: str, target: str, assignments: Sequence[str]) -> Probe:
    """The probe that the arguments stand for; raises BadConfig."""
    settings: dict[str, object] = {}
    problems = []
    try:
        settings |= PROBES[kind].read_target(target)
    except ValueError as error:
        problems.append(str(error))
    for text in assignments:
        key, equals, value = text.partition("=")
        if not key or not equals:
            problems.append(f"--set {text}: is not of the form key=value")
            continue
        try:
            settings[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            problems.append(f"--set {text}: {value!r} is not a YAML value")
    if problems:
        raise BadConfig("probe", problems)
    return parse_data(settings, PROBES[kind], "probe")


async def run_probe(
    probe: Probe, resolvers: tuple[str, ...], timeout_s: float, allow_private: bool
) -> tuple[ToldSteps, Finding]:
    """Runs one attempt and keeps its story."""
    story = ToldSteps()
    policy = refuse_nothing if allow_private else refuse_private
    async with open_tools(resolvers, refusal=policy, story=story) as tools:
        return story, await probe.run(tools, timeout_s)


def as_json(probe: Probe, story: ToldSteps, finding: Finding) -> str:
    """The whole story as one JSON object."""
    return json.dumps(
        {
            "kind": probe.kind,
            "settings": probe.model_dump(mode="json"),
            "steps": [{"step": step, **facts} for step, facts in story.steps],
            "outcome": finding.outcome.word,
            "detail": finding.detail,
            "status": finding.status,
            "family": finding.family,
            "timings_us": dict(finding.timings_us),
        }
    )


def as_text(probe: Probe, story: ToldSteps, finding: Finding) -> Iterator[str]:
    """The whole story, line by line."""
    yield f"{probe.kind} probe"
    for name, value in probe.model_dump(mode="json", exclude_defaults=True).items():
        yield f"  {name}: {_plain(value)}"
    for step, facts in story.steps:
        yield step
        yield from (f"  {name}: {_plain(value)}" for name, value in facts.items())
    yield "timings"
    yield from waterfall(finding.timings_us, probe.timings)
    status = f", status {finding.status}" if finding.status else ""
    yield f"{finding.outcome.word}{status}{': ' + finding.detail if finding.detail else ''}"


def waterfall(timings_us: Mapping[str, int], order: Sequence[str]) -> Iterator[str]:
    """One bar a phase, each beginning where the one before ended."""
    total = max(timings_us[TOTAL], 1)
    begin = 0
    for phase in (name for name in order if name in timings_us):
        at = 0 if phase == TOTAL else begin
        left = round(BAR_WIDTH * at / total)
        width = max(1, round(BAR_WIDTH * timings_us[phase] / total))
        bar = (" " * left + "#" * width)[: BAR_WIDTH + 1]
        yield f"  {phase:<10} {timings_us[phase] / 1000:>9.1f} ms  {bar}"
        begin += timings_us[phase]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class ProbeCommand(click.Command):
    """Adds the kinds to the help when it is asked for."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes every kind with its fields."""
        for probe in PROBES.values():
            formatter.write_paragraph()
            with formatter.section(f"{probe.kind} {probe.target_form}: {(probe.__doc__ or '').strip()}"):
                formatter.write_dl(
                    [(name, str(info.description)) for name, info in probe.model_fields.items()]
                )


@click.command(cls=ProbeCommand)
@click.argument("kind", type=click.Choice(list(PROBES)))
@click.argument("target")
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting; value as in YAML.")
@click.option("--resolver", "resolvers", multiple=True, metavar="ADDRESS", help="Resolve there.")
@click.option("--timeout", default="5s", show_default=True, help="Time limit of the attempt.")
@click.option("--allow-private", is_flag=True, help="Allow private and link-local addresses.")
def probe(
    kind: str,
    target: str,
    json_wanted: bool,
    assignments: tuple[str, ...],
    resolvers: tuple[str, ...],
    timeout: str,
    allow_private: bool,
) -> None:
    """Probes TARGET once and tells the whole story; exit 1 when the probe failed."""
    try:
        asked = read_settings(kind, target, assignments)
        timeout_s = parse_duration(timeout).total_seconds()
        for resolver in resolvers:
            checked_resolver(resolver)
        if not timeout_s:
            raise ValueError(f"--timeout: {timeout} leaves no time")
    except BadConfig as error:
        raise click.UsageError("\n".join(error.problems)) from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    story, finding = uvloop.run(run_probe(asked, resolvers, timeout_s, allow_private))
    lines = [as_json(asked, story, finding)] if json_wanted else as_text(asked, story, finding)
    click.echo("\n".join(lines))
    sys.exit(0 if finding.outcome is Outcome.OK else 1)
