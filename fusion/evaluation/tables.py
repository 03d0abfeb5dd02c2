"""An evaluation as tables for a terminal, and as JSON."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from fusion.evaluation.evaluation import Evaluation
from fusion.evaluation.groups import Group
from fusion.evaluation.metrics import Estimate
from fusion.evaluation.paired import Paired, paired
from fusion.evaluation.single_detectors import SingleDetector
from img_ml.data.bootstrap import Interval


def tables(evaluations: Sequence[Evaluation], others: Sequence[SingleDetector] = ()) -> Iterator[Table]:
    """Measures of all artifacts side by side, detectors alone, what changes do; of a single artifact its groups too.

    `others` are detectors that no artifact weighs.
    """
    yield _measures(evaluations)
    for one in comparisons(evaluations):
        yield _paired(one)
    for evaluation in evaluations:
        yield _confusion(evaluation)
    yield alone_table(beside(evaluations, others))
    for evaluation in evaluations:
        yield _conditions(evaluation)
    if len(evaluations) == 1:
        (only,) = evaluations
        yield _groups(f"{only.artifact} by generator, against all images that are not AI", only.generators)
        if not only.sources_are_images:
            yield _groups(f"{only.artifact} by source", only.sources)
        yield _groups(f"{only.artifact} by format", only.formats)


def measures_table(title: str, measures: Mapping[str, Estimate]) -> Table:
    """Measures by name with both intervals."""
    table = Table("measure", title=title, title_justify="left")
    for column in ("value", "95 % over sources", "95 % over images"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, e in measures.items():
        if math.isnan(e.value):
            table.add_row(name, "not measured", "", "")
        else:
            table.add_row(name, f"{e.value:.3f}", _ends(e.sources), _ends(e.images))
    return table


def beside(evaluations: Sequence[Evaluation], others: Sequence[SingleDetector] = ()) -> list[SingleDetector]:
    """The rows of all artifacts, then those of single detectors, each once."""
    fused = [evaluation.alone[0] for evaluation in evaluations]
    single = [one for evaluation in evaluations for one in evaluation.alone[1:]]
    return [*fused, *{one.name: one for one in (*single, *others)}.values()]


def alone_table(
    rows: Sequence[SingleDetector], title: str = "Fusions and single detectors, 95 % over sources"
) -> Table:
    """One row for each probability of AI."""
    table = Table("probability", title=title, title_justify="left")
    for column in ("images", "AUC", "AUC within sources", "average precision", "accuracy at 0.5"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            row.name, str(row.images), *map(told, (row.auc, row.within_source_auc, row.average_precision, row.accuracy))
        )
    return table


def _ends(interval: Interval) -> str:
    return "" if math.isnan(interval.low) else f"{interval.low:.3f} to {interval.high:.3f}"


def told(estimate: Estimate) -> str:
    """A value with its interval over sources."""
    if math.isnan(estimate.value):
        return "not measured"
    if math.isnan(estimate.sources.low):
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.sources.low:.3f}-{estimate.sources.high:.3f})"


def _measures(evaluations: Sequence[Evaluation]) -> Table:
    first = evaluations[0]
    if len(evaluations) == 1:
        return measures_table(f"{first.artifact}, {first.fingerprint}", first.measures)
    table = Table("measure", title="Side by side, 95 % intervals over sources", title_justify="left")
    for evaluation in evaluations:
        table.add_column(f"{evaluation.artifact}\n{evaluation.fingerprint}", justify="right")
    for name in first.measures:
        table.add_row(name, *(told(evaluation.measures[name]) for evaluation in evaluations))
    return table


def comparisons(evaluations: Sequence[Evaluation]) -> list[Paired]:
    """Every further artifact against the first, on the same images."""
    first, *others = evaluations
    return [paired((first.artifact, first.plain), (other.artifact, other.plain)) for other in others]


def _paired(one: Paired) -> Table:
    title = f"{one.second} less {one.first}, in the same resamples"
    table = measures_table(title, one.differences)
    only = f"{one.only_second} only {one.second}, {one.only_first} only {one.first}"
    table.caption = f"Images that one alone gets right at 0.5: {only} (McNemar p {one.p:.3g})"
    return table


def _confusion(evaluation: Evaluation) -> Table:
    thresholds = evaluation.plain.thresholds
    title = f"{evaluation.artifact} calls AI from {thresholds.ai:.3f}, NON-AI up to {thresholds.non_ai:.3f}"
    table = Table(title=title, title_justify="left")
    for name in ("it is", "called AI", "UNCERTAIN", "called NON-AI"):
        table.add_column(name, justify="left" if name == "it is" else "right")
    for row in evaluation.confusion:
        table.add_row(row.kind, str(row.ai), str(row.uncertain), str(row.non_ai))
    return table


def _conditions(evaluation: Evaluation) -> Table:
    table = Table(title=f"{evaluation.artifact} under changes", title_justify="left")
    for name in ("change", "AUC", "labels that change", "AI <-> NON-AI", "probability moves by"):
        table.add_column(name, justify="left" if name == "change" else "right")
    for c in evaluation.conditions:
        table.add_row(c.name, told(c.auc), f"{c.changed.value:.1%}", f"{c.flipped.value:.1%}", f"{c.moved:.3f}")
    return table


def _groups(title: str, groups: Sequence[Group]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("", "AI", "not AI", "AUC", "called AI", "UNCERTAIN", "called NON-AI"):
        table.add_column(name, justify="right" if name else "left")
    for g in groups:
        auc = "not measured" if g.auc is None else told(g.auc)
        labels = (f"{share:.1%}" for share in (g.called_ai, g.uncertain, g.called_non_ai))
        table.add_row(g.name, str(g.ai), str(g.not_ai), auc, *labels)
    return table


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as plain JSON values, without the images' own scores; null where nothing could be measured."""
    content = {name: value for name, value in _plain(evaluation).items() if name != "plain"}
    found: dict[str, Any] = finite(content)
    return found


def _plain(evaluation: Evaluation) -> dict[str, Any]:
    return {name: asdict_of(getattr(evaluation, name)) for name in evaluation.__dataclass_fields__}


def asdict_of(value: Any) -> Any:
    """Dataclasses inside lists and dicts as dicts."""
    if isinstance(value, list):
        return [asdict_of(one) for one in value]
    if isinstance(value, dict):
        return {name: asdict_of(one) for name, one in value.items()}
    return asdict(value) if hasattr(value, "__dataclass_fields__") and not hasattr(value, "table") else value


def finite(content: Any) -> Any:
    """The content with numbers that JSON cannot hold as null."""
    if isinstance(content, Mapping):
        return {name: finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
