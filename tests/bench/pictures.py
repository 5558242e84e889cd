"""Pictures of the duel as SVG: plain elements, no library, readable on light and dark pages."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from tests.bench.scoring import MOMENTS_S, Score

COLOURS = ("#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8a200", "#0c8599", "#868e96")
"""Faultline's first, then the rules' in their order."""

_INK, _GRID = "#495057", "#ced4da"


def text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12, fill: str = _INK) -> str:
    """Words at a place."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size}" fill="{fill}">{escape(words)}</text>'


def rectangle(x: float, y: float, width: float, height: float, fill: str, opacity: float = 1.0) -> str:
    """A filled rectangle."""
    box = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {box} fill="{fill}" fill-opacity="{opacity:.2f}"/>'


def line(points: Iterable[tuple[float, float]], colour: str, width: float = 1.0, dashes: str = "") -> str:
    """A line through points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>'


def picture(width: int, height: int, parts: Iterable[str]) -> str:
    """A whole picture on white."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}'
    body = "\n".join((rectangle(0, 0, width, height, "#ffffff"), *parts))
    return f'{head} font-family="sans-serif">\n{body}\n</svg>\n'


def found_picture(scores: dict[str, Score]) -> str:
    """Of all faults: found (pale) and named rightly (full), a bar a rule."""
    faults = next(iter(scores.values())).faults
    scale, row, left = 420 / max(1, faults), 34, 150
    parts = [text(left, 24, f"of {faults} faults: found (pale), right scope and subject (full)")]
    for number, (name, score) in enumerate(scores.items()):
        y, colour = 40 + number * row, COLOURS[number]
        parts += [
            text(left - 10, y + 15, name, anchor="end"),
            rectangle(left, y, score.found * scale, 22, colour, 0.3),
            rectangle(left, y, score.right * scale, 22, colour),
            text(left + score.found * scale + 8, y + 15, f"{score.right} / {score.found}"),
        ]
    return picture(660, 50 + row * len(scores), parts)


def delay_picture(scores: dict[str, Score]) -> str:
    """How many of all faults were told after so many seconds, and what the bound allows at best."""
    faults = next(iter(scores.values())).faults
    left, top, width, height, most_s = 60, 40, 560, 300, 1000.0

    def at(delay_s: float, share: float) -> tuple[float, float]:
        along = math.log10(min(max(delay_s, 1.0), most_s)) / math.log10(most_s)
        return left + along * width, top + (1 - share) * height

    def course(delays: Sequence[float]) -> list[tuple[float, float]]:
        steps = [at(1.0, 0.0)]
        for number, delay_s in enumerate(sorted(delays), 1):
            steps += [at(delay_s, (number - 1) / faults), at(delay_s, number / faults)]
        return [*steps, at(most_s, len(delays) / faults)]

    parts = [text(left, 24, "share of all faults that were told, by seconds after their beginning")]
    for seconds in (1, 3, 10, 30, 100, 300, 1000):
        parts += [
            line((at(seconds, 0), at(seconds, 1)), _GRID),
            text(at(seconds, 0)[0], top + height + 18, f"{seconds} s", anchor="middle"),
        ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts += [
            line((at(1, share), at(most_s, share)), _GRID),
            text(left - 8, at(1, share)[1] + 4, f"{share:.0%}", anchor="end"),
        ]
    bounds = next(iter(scores.values())).bounds_s
    parts.append(line(course(bounds), _INK, 1.5, "5 4"))
    for number, score in enumerate(scores.values()):
        parts.append(line(course(score.delays_s), COLOURS[number], 3 if number == 0 else 1.8))
    for number, name in enumerate((*scores, "the bound (mean)")):
        y = top + 14 + number * 18
        colour = COLOURS[number] if number < len(scores) else _INK
        parts += [line(((640, y - 4), (660, y - 4)), colour, 3), text(666, y, name)]
    return picture(820, 380, parts)


def confusion_picture(score: Score) -> str:
    """What truly broke (rows) and what was told of it (columns) after 30, 60 and 300 s, and in the end."""
    tables = [
        (f"after {s} s", {(t, o): n for (at, t, o), n in score.scopes_at.items() if at == s})
        for s in MOMENTS_S
    ]
    truths = sorted({true for true, _ in score.scopes})
    tolds = [*truths, *sorted({o for _, cells in tables for _, o in cells} - set(truths))]
    cell, left, gap = 34, 90, 30
    wide = len(tolds) * cell
    parts: list[str] = []
    for number, (title, cells) in enumerate(tables):
        x0 = left + number * (wide + gap)
        parts.append(text(x0, 20, title))
        for column, told in enumerate(tolds):
            x = x0 + (column + 0.5) * cell
            parts.append(
                f'<g transform="translate({x + 4:.1f} 104) rotate(-60)">{text(0, 0, told, size=11)}</g>'
            )
        for row, true in enumerate(truths):
            y = 112 + row * cell
            if number == 0:
                parts.append(text(left - 8, y + 21, true, anchor="end", size=11))
            sum_ = sum(n for (t, _), n in cells.items() if t == true)
            for column, told in enumerate(tolds):
                count = cells.get((true, told), 0)
                colour = "#2f9e44" if told == true else "#d9480f"
                parts.append(
                    rectangle(
                        x0 + column * cell,
                        y,
                        cell - 2,
                        cell - 2,
                        colour if count else _GRID,
                        max(0.15, count / max(1, sum_)),
                    )
                )
                if count:
                    parts.append(text(x0 + (column + 0.47) * cell, y + 21, str(count), anchor="middle"))
    return picture(left + 3 * (wide + gap), 120 + cell * len(truths), parts)


def write_pictures(scores: dict[str, Score], folder: Path) -> None:
    """Writes all pictures."""
    folder.mkdir(exist_ok=True)
    (folder / "verdict-found.svg").write_text(found_picture(scores))
    (folder / "verdict-delay.svg").write_text(delay_picture(scores))
    (folder / "verdict-scope.svg").write_text(confusion_picture(next(iter(scores.values()))))
