"""What image generators write into files themselves: prompts, workflows, settings, their names."""

import re
from collections.abc import Iterator, Sequence

from forensics.provenance.claims import created, edited
from forensics.provenance.names import generator_named
from forensics.provenance.shapes import FAMILY, UNNAMED, fills_a_part, only_processes
from forensics.provenance.text import quoted
from forensics.provenance.texts import Text
from forensics.provenance.writers import WRITERS, Writer
from forensics.types import Claim

# Fields that name the software an image was made with; a photograph's keywords or title may name anything.
_NAMING = re.compile(r"software|processingsoftware|creator ?tool|program|generator|make|source|agent", re.I)
_PROGRAM_CARRIERS = ("EXIF", "XMP", "IPTC", "text")
# What others write beside a name of their own, the most general first.
_FAMILIES = (UNNAMED, "Stable Diffusion", FAMILY)


def read_generators(texts: Sequence[Text], *, parts_only: bool = False) -> tuple[Claim, ...]:
    """A claim for each generator whose own writing is among the texts.

    With `parts_only` the file says elsewhere that only parts of it were generated: a mere name then tells with what.
    """
    found: dict[tuple[str, bool], list[str]] = {}
    for generator, part, place in (*_written(texts), *_named(texts, parts_only)):
        places = found.setdefault((generator, part), [])
        if place not in places:
            places.append(place)
    whole = {generator for generator, part in found if not part}
    # The name that is told is the writer's own, of the general ones the closest.
    for general in _FAMILIES:
        if len(whole) > 1:
            whole.discard(general)
    kept = {key: places for key, places in found.items() if key[1] or key[0] in whole}
    return tuple(
        _claim(generator, part, ", ".join(places[:4]))
        for (generator, part), places in kept.items()
        if not (part and generator in whole)
    )


def _written(texts: Sequence[Text]) -> Iterator[tuple[str, bool, str]]:
    """(generator, whether only a part is its work, place) of each text that a row of the table matches."""
    for text in (*texts, *_keywords_together(texts)):
        for writer in WRITERS:
            generator = writer.generator_of(text)
            if generator and _has_beside(writer, text, texts):
                part = fills_a_part(text) if generator != "ComfyUI" else only_processes(text)
                yield generator, part, text.place
                break


def _keywords_together(texts: Sequence[Text]) -> Iterator[Text]:
    """The keywords of a PNG's texts as one object: some programs write each setting under its own."""
    settings = {text.key: text.value for text in texts if text.carrier == "text"}
    if len(settings) >= 3:
        together = Text("text", "", "{}", "PNG texts")
        together.__dict__["content"] = settings
        yield together


def _has_beside(writer: Writer, text: Text, texts: Sequence[Text]) -> bool:
    if writer.beside is None:
        return True
    key, shape = writer.beside
    return any(
        other.carrier == text.carrier and re.fullmatch(key, other.key, re.I) and shape(other) is not None
        for other in texts
    )


def _named(texts: Sequence[Text], parts_only: bool) -> Iterator[tuple[str, bool, str]]:
    for text in texts:
        if text.carrier in _PROGRAM_CARRIERS and _NAMING.fullmatch(text.key) and (name := generator_named(text.value)):
            yield name, parts_only, text.place


def _claim(generator: str, part: bool, places: str) -> Claim:
    if part:
        return edited(places, f"{quoted(generator)} changed a part of it or processed it", quoted(generator))
    return created(places, f"{quoted(generator)} generated it", quoted(generator))
