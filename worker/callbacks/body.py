"""What a callback says: the result document in the words of the backend that asked for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from worker.streams.messages import Callback, Job

LARGEST_BODY = 100_000
_MARKS = {"AI": "AI", "NON-AI": "NONAI", "UNCERTAIN": "UNCERTAIN"}
# Parts of the result document that a callback repeats as they are.
_REPEATED = ("status", "label", "label_basis", "leaning", "fusion_prob", "not_judged", "provenance", "schema_version")
_CLOUD_EVENTS = '{"specversion":'


@dataclass(frozen=True, slots=True)
class EventContext:
    """Makes the body a CloudEvents 1.0 envelope; `jobs` and `entry_id` tell its event from every other."""

    jobs: str
    entry_id: str


def callback_for(job: Job, document: Mapping[str, Any], event: EventContext | None = None) -> Callback | None:
    """The callback that carries the result document; None where the job names no callback_url."""
    if job.callback_url is None:
        return None
    if event is None:
        return Callback(job.callback_url, job.job_id, _as_json(_data(job, document, LARGEST_BODY)), job.traceparent)
    envelope = _envelope(job, document, event)
    envelope["data"] = _data(job, document, LARGEST_BODY - _size(envelope) - len(',"data":'))
    return Callback(job.callback_url, job.job_id, _as_json(envelope), job.traceparent)


def content_type(body: bytes) -> str:
    """The media type of a body that was made here, also by a worker with another CALLBACK_FORMAT."""
    return "application/cloudevents+json" if body.startswith(_CLOUD_EVENTS.encode()) else "application/json"


def _envelope(job: Job, document: Mapping[str, Any], event: EventContext) -> dict[str, object]:
    """The attributes of CloudEvents 1.0 (JSON format), without the data."""
    return {
        "specversion": "1.0",
        "id": event.entry_id,
        "source": f"/img_ml/{quote(event.jobs, safe='')}",
        "type": "img_ml.error" if document["error"] else "img_ml.verdict",
        "subject": job.job_id,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
    }


def _data(job: Job, document: Mapping[str, Any], room: int) -> dict[str, object]:
    error, model = document["error"], document["model"]
    parts: dict[str, object] = {
        "jobId": job.job_id,
        "clientId": job.client_id,
        "image_url": job.image_url,
        "image_hash": job.image_hash,
        "mark": "ERROR" if error else _MARKS[document["label"]],
        "reason": "",
        "confidence": 0.0 if error else _confidence(document),
        "retry": bool(error and error["retryable"]),
        **{name: document[name] for name in _REPEATED},
        "fingerprint": model["fingerprint"] if model else None,
    }
    if _size(parts) > room:  # a file may declare as much as it likes; the result has all of it
        parts["provenance"] = []
    reason = error["message"] if error else " ".join(document["reasoning"])
    return parts | {"reason": _cut(reason, room - _size(parts))}


def _confidence(document: Mapping[str, Any]) -> float:
    """100 times the document's confidence; 100 for a declared label, which is not estimated, 0 where nothing is."""
    if document["label_basis"] == "provenance":
        return 100.0
    confidence = document["confidence"]
    return 0.0 if confidence is None else round(100 * float(confidence), 2)


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
