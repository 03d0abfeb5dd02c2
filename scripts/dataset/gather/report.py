"""What was gathered from where, with the licences, and what was not and why: for people and for a model card."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.table import Table

from scripts.dataset.gather.assembling import Assembled
from scripts.dataset.gather.cropping import Cropping
from scripts.dataset.gather.gathering import Gathered
from scripts.dataset.gather.sources import LABEL_OF_KIND, SourceRow

Gathering = Sequence[tuple[Sequence[SourceRow], Gathered]]


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One row of the sources: counts from the files that match down to the crops that the dataset lists.

    `skipped` counts drawn images that gave no crop, `images_left_out` images that gave some and went again, and
    `crops_left_out` crops of other images, each by reason.
    """

    repository: str
    kind: str
    generator: str
    licence: str
    path_regex: str
    commit: str
    matching: int
    drawn: int
    images: int
    crops: int
    skipped: Mapping[str, int]
    images_left_out: Mapping[str, int]
    crops_left_out: Mapping[str, int]


def source_reports(gathering: Gathering, assembled: Assembled) -> list[SourceReport]:
    """A report for each row, in the order gathered."""
    crops = Counter(crop.source for crop in assembled.crops)
    images = Counter(source for source, _ in {(crop.source, crop.image.facts.sha256) for crop in assembled.crops})
    return [
        SourceReport(
            row.repository,
            row.kind,
            row.generator,
            row.licence,
            row.pattern.pattern,
            gathered.commit,
            count.matching,
            count.drawn,
            images[row],
            crops[row],
            count.skipped,
            dict(assembled.images_left_out.get(row, {})),
            dict(assembled.crops_left_out.get(row, {})),
        )
        for rows, gathered in gathering
        for row, count in zip(rows, gathered.rows, strict=True)
    ]


def as_json(
    sources: Sequence[SourceReport], absent: Mapping[str, str], refused: Sequence[str], most: int, cropping: Cropping
) -> dict[str, object]:
    """The report as it is written: settings, totals of each kind, every source, and the repositories left out."""
    return {
        "settings": {"most_per_row": most, **asdict(cropping)},
        "totals": {kind: _totals([source for source in sources if source.kind == kind]) for kind in LABEL_OF_KIND},
        "absent": dict(absent),
        "refused": list(refused),
        "sources": [asdict(source) for source in sources],
    }


def _totals(sources: Sequence[SourceReport]) -> dict[str, int]:
    given = [source for source in sources if source.crops]
    return {
        "repositories": len({source.repository for source in given}),
        "generators": len({source.generator for source in given}),
        "images": sum(source.images for source in given),
        "crops": sum(source.crops for source in given),
    }


def as_table(sources: Sequence[SourceReport]) -> Table:
    """A line for each row, and the sums."""
    table = Table("Repository", "Kind", "Generator")
    for heading in ("Matching", "Drawn", "Images", "Crops"):
        table.add_column(heading, justify="right")
    table.add_column("Licence", max_width=24)
    table.add_column("Left out")
    for source in sources:
        counts = (source.matching, source.drawn, source.images, source.crops)
        table.add_row(source.repository, source.kind, source.generator, *map(str, counts), source.licence, _why(source))
    for kind in LABEL_OF_KIND:
        some = [source for source in sources if source.kind == kind]
        sums = (sum(values) for values in zip(*((s.matching, s.drawn, s.images, s.crops) for s in some), strict=True))
        if some:
            table.add_row("all", kind, "", *map(str, sums), style="bold")
    return table


def _why(source: SourceReport) -> str:
    images = Counter(source.skipped) + Counter(source.images_left_out)
    told = [f"{count} {reason}" for reason, count in images.most_common()]
    if source.crops_left_out:
        told.append(f"{sum(source.crops_left_out.values())} crops")
    return ", ".join(told)
