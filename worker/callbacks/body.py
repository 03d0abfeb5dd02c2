"""What a callback says: the result document in the words of the backend that asked for it."""

import json
from collections.abc import Mapping
from typing import Any

from worker.streams.messages import Callback, Job

LARGEST_BODY = 100_000
_MARKS = {"AI": "AI", "NON-AI": "NONAI", "UNCERTAIN": "UNCERTAIN"}


def callback_for(job: Job, document: Mapping[str, Any]) -> Callback | None:
    """The callback that carries the result document; None where the job names no callback_url."""
    if job.callback_url is None:
        return None
    return Callback(job.callback_url, job.job_id, _body(job, document))


def _body(job: Job, document: Mapping[str, Any]) -> str:
    error = document["error"]
    parts: dict[str, object] = {
        "jobId": job.job_id,
        "clientId": job.client_id,
        "image_url": job.image_url,
        "image_hash": job.image_hash,
        "mark": "ERROR" if error else _MARKS[document["label"]],
        "reason": "",
        "confidence": 0.0 if error else _confidence(document),
        "retry": bool(error and error["retryable"]),
    }
    reason = error["message"] if error else " ".join(document["reasoning"])
    return _as_json(parts | {"reason": _cut(reason, LARGEST_BODY - _size(parts))})


def _confidence(document: Mapping[str, Any]) -> float:
    """The confidence in the mark, 0 to 100.

    A declared label is not estimated: 100. UNCERTAIN is surest (100) where the probability of AI is one half or
    unknown, and less sure the further it is from there.
    """
    label, confidence = document["label"], document["confidence"]
    if confidence is None:
        return 100.0
    return round(200 * (1 - float(confidence)) if label == "UNCERTAIN" else 100 * float(confidence), 2)


def _cut(text: str, room: int) -> str:
    """The text, shortened where its JSON takes more than `room` bytes besides the quotes."""
    shown, kept = text, text[:room]
    while shown and _size(shown) - 2 > room:
        kept = kept[: len(kept) * 9 // 10]
        shown = f"{kept}…" if kept else ""
    return shown


def _size(value: object) -> int:
    return len(_as_json(value).encode())


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
