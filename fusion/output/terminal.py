"""A verdict for people: what it says, what it rests on, and what was measured, for a terminal of 80 columns."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from forensics.types import Measured, Skipped
from fusion.verdict import Reason, Verdict

_STYLES = {"AI": "bold red", "NON-AI": "bold green", "UNCERTAIN": "bold yellow"}
_MEANINGS = {
    "AI": "probably made by a machine",
    "NON-AI": "probably not made by a machine",
    "UNCERTAIN": "what was measured does not decide it",
}
_BAR = 24
_REASON_BAR = 8
# Log-odds that fill a reason's bar.
_FULL_WEIGHT = 1.5


def show(console: Console, name: str, verdict: Verdict) -> None:
    """Print one verdict."""
    evidence = verdict.evidence
    console.print(Text(name, style="bold"), soft_wrap=True)
    console.print(Text(f"{evidence.width} x {evidence.height} {evidence.media_type}", style="dim"))
    console.print(Padding(Group(*_parts(verdict)), (1, 0, 1, 2)))
    untrained = ", a prior (not trained)" if verdict.fusion == "prior" else ""
    console.print(Text(f"Profile {verdict.profile}, model {verdict.fingerprint}{untrained}", style="dim"))


def _parts(verdict: Verdict) -> list[RenderableType]:
    parts: list[RenderableType] = [_headline(verdict)]
    if verdict.claims:
        parts += [_title("What the file declares about itself"), *(Text(f"• {c.statement}") for c in verdict.claims)]
    if verdict.reasons:
        parts += [_title("What moved the probability most"), _reasons(verdict.reasons)]
    parts += [_title("What was measured"), _signals(verdict)]
    return parts


def _headline(verdict: Verdict) -> RenderableType:
    text = Text(verdict.label, style=_STYLES[verdict.label])
    told = "declared by the file itself" if verdict.basis == "provenance" else _MEANINGS[verdict.label]
    text.append(f"  {told}\n", style="default not bold")
    probability = verdict.fusion_prob
    if probability is None:
        return text.append("Too little could be measured for a probability.", style="default not bold")
    filled = round(probability * _BAR)
    text.append("AI probability of the pixels ", style="default not bold")
    text.append("█" * filled, style=_STYLES[verdict.label])
    text.append("░" * (_BAR - filled), style="dim not bold")
    return text.append(f" {probability:.0%}", style="bold default")


def _title(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _reasons(reasons: tuple[Reason, ...]) -> Table:
    table = Table.grid(padding=(0, 1))
    for reason in reasons:
        length = max(1, min(_REASON_BAR, round(abs(reason.weight) / _FULL_WEIGHT * _REASON_BAR)))
        style = "red" if reason.weight > 0 else "green"
        direction = "AI" if reason.weight > 0 else "NON-AI"
        bar = Text("█" * length + " " * (_REASON_BAR - length), style=style)
        table.add_row(Text(f"{reason.weight:+.2f}"), bar, Text(direction, style=style), Text(_before_weight(reason)))
    return table


def _before_weight(reason: Reason) -> str:
    """The sentence without the direction and weight, which stand in columns of their own."""
    return reason.sentence.rpartition("; speaks for")[0] or reason.sentence


def _signals(verdict: Verdict) -> Table:
    table = Table.grid(padding=(0, 1))
    for signal in verdict.evidence.signals:
        if isinstance(signal, Measured):
            table.add_row(Text(signal.detector, style="cyan"), Text(signal.sentence))
        elif isinstance(signal, Skipped):
            table.add_row(Text(signal.detector, style="dim"), Text(f"skipped: {signal.reason}", style="dim"))
    return table
