"""The table of a result's fields in docs/wire_format.md: what the code knows, with one meaning for each field."""

from collections.abc import Iterator

from forensics.errors import UsageError
from fusion.output.result import ALIASES, ResultDocument, result_model

MEANINGS = {
    "schema_version": "1; raised when a field changes its meaning or is removed",
    "job_id": "from the job",
    "client_id": "from the job",
    "image_url": "from the job",
    "image_sha256": "SHA-256 of the bytes as fetched; null on error",
    "status": "`done` or `error`",
    "error": "null, or `{code, message, retryable}`",
    "label": "`AI`, `NON-AI` or `UNCERTAIN`; null on error",
    "label_basis": "`pixels` or `provenance`",
    "leaning": "`ai`, `non_ai` or null: what an image leans to, also where the label is `UNCERTAIN`. It is wrong more "
    "often than a label: the model card says how often",
    "fusion_prob": "probability of AI from the pixels, 0 to 1, calibrated where `model.fusion` is `trained`; null on "
    "error, where the image is not for judging (`not_judged`), or where too little could be measured",
    "confidence": "that probability for the label (for the likelier label when UNCERTAIN); null where the label was "
    "declared or unknown",
    "not_judged": "why the image gets no probability, see [Not for judging](#not-for-judging); null where it may have "
    "one",
    "reasoning": "plain sentences, strongest first",
    "reasons": "the weighed aspects behind them: `{aspect, weight, sentence}`; `weight` is the share of the log-odds "
    "of `fusion_prob`, positive for AI",
    "provenance": "declarations in the file: `{carrier, says_ai, decisive, statement, generator, declares, "
    "signature}`, see [Declarations](#declarations)",
    "image": "`{media_type, width, height, frames, frame, frames_judged, missing, damaged, coarse, "
    "trailing_bytes, reduced_by}`: "
    "what was judged, and [how much of the file](#partial-and-large-files) that is",
    "signals": "for each detector `{sentence, numbers, weighed}`: all its numbers, null where one could not be "
    "measured, and whether `fusion_prob` can rest on it",
    "skipped": "detectors without an answer, and why",
    "model": "`{profile, fingerprint, fusion, thresholds}`; `thresholds` are `{non_ai, ai}`: up to the first the label "
    "is `NON-AI`, from the second `AI`; `fusion` is `trained`, or [`prior`](limits.md#before-a-fusion-is-trained) "
    "where none was trained for the profile yet; the fingerprint is of the fusion model's files, or of the light "
    "one's and the table of priors",
    "timings_ms": "milliseconds per detector, and for `fetch`, `examine`, `conclude`, `total`",
}


def rows() -> Iterator[str]:
    """The table's lines; UsageError where a field of the document has no meaning here."""
    yield "| name | meaning |"
    yield "|---|---|"
    fields = result_model().model_fields
    for name, field in fields.items():
        if name in ResultDocument.model_fields:
            if name not in MEANINGS:
                raise UsageError(f"The result field {name} has no meaning: write one in {__name__}.")
            yield f"| `{name}` | {MEANINGS[name]} |"
        elif name in ALIASES:
            yield f"| `{name}` | {field.description} |"
        else:
            yield f"| `{name}` | {field.description or 'not measured by any detector'}; null where not measured |"
