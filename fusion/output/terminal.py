"""A verdict for people in a terminal of 80 columns: the answer first, then what it rests on."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fusion.output.messages import Messages
from fusion.output.view import ReasonView, ResultView, view

_STYLES = {"ai": "bold red", "non_ai": "bold green", "uncertain": "bold yellow", "error": "bold"}
_BAR = 48
_REASON_BAR = 8
# Log-odds that fill a reason's bar.
_FULL_WEIGHT = 1.5


def show(console: Console, name: str, document: Mapping[str, Any], say: Messages) -> None:
    """Print one result document."""
    shown = view(document, name, say)
    console.print(Text(name, style="bold"), soft_wrap=True)
    console.print(Text(", ".join(value for _, value in shown.facts[:2]), style="dim"))
    console.print(Padding(Group(*_parts(shown, say)), (1, 0, 1, 2)))
    if shown.model:
        console.print(Text(shown.model, style="dim"))


def _parts(shown: ResultView, say: Messages) -> list[RenderableType]:
    parts: list[RenderableType] = [_headline(shown, say)]
    if shown.claims:
        parts += [_title(say("title.declared")), *(Text(f"• {claim}") for claim in shown.claims)]
    if shown.reasons:
        parts += [_title(say("title.reasons")), _reasons(shown.reasons, say)]
    for title, signals in (("title.weighed", shown.weighed), ("title.measured", shown.measured)):
        if signals:
            parts += [_title(say(title)), _signals(signals)]
    if shown.skipped:
        parts.append(Text(f"\n{shown.skipped}", style="dim"))
    if shown.cautions:
        parts += [_title(say("title.cautions")), *(Text(f"• {caution}") for caution in shown.cautions)]
    return parts


def _headline(shown: ResultView, say: Messages) -> RenderableType:
    text = Text(shown.answer, style=_STYLES[shown.tone])
    if shown.label:
        text.append(f"  ({shown.label})", style="default not bold")
    for note in shown.notes:
        text.append(f"\n{note}", style="default not bold")
    if shown.probability is None:
        return text
    text.append(f"\n\n{say('probability')}: ", style="default not bold")
    text.append(f"{shown.probability:.0%}\n", style="bold default")
    return text.append_text(_gauge(shown, say))


def _gauge(shown: ResultView, say: Messages) -> Text:
    """The probability on a bar from 0 to 100 %, with the thresholds marked below it."""
    assert shown.probability is not None
    filled = round(shown.probability * _BAR)
    text = Text("0% ")
    text.append("█" * filled, style=_STYLES[shown.tone])
    text.append("░" * (_BAR - filled), style="dim")
    text.append(" 100%")
    if shown.thresholds is None:
        return text
    low, high = shown.thresholds
    marks = [" "] * (_BAR + 1)
    for threshold in (low, high):
        marks[round(threshold * _BAR)] = "▲"
    text.append(f"\n   {''.join(marks).rstrip()}", style="dim")
    return text.append("\n   " + say("thresholds", ai=f"{high:.0%}", non_ai=f"{low:.0%}"), style="dim")


def _title(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _reasons(reasons: tuple[ReasonView, ...], say: Messages) -> Table:
    table = Table.grid(padding=(0, 1))
    for reason in reasons:
        length = max(1, min(_REASON_BAR, round(abs(reason.weight) / _FULL_WEIGHT * _REASON_BAR)))
        style = "red" if reason.weight > 0 else "green"
        bar = Text("█" * length + " " * (_REASON_BAR - length), style=style)
        table.add_row(
            Text(say.number(reason.weight, "+.2f")), bar, Text(reason.direction, style=style), Text(reason.text)
        )
    return table


def _signals(signals: tuple[tuple[str, str], ...]) -> Table:
    table = Table.grid(padding=(0, 1))
    for detector, sentence in signals:
        table.add_row(Text(detector, style="cyan"), Text(sentence))
    return table
