"""From the fields of a stream entry to a Job; producers are strangers, so every size and type is checked."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from worker.errors import BadJobError, UnreadableMessageError

# Beside the producer's own fields, in an entry that has been tried before.
RETRIES_FIELD = b"img_ml_retries"
LARGEST_MESSAGE = 256 * 1024
_LONGEST_ID = 512
_LONGEST_URL = 8192
_TRACEPARENT = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Job:
    """One request for a verdict; `complaint` says why `image_url` cannot be used, where it cannot.

    `image_hash` and `callback_url` are kept as the producer wrote them and trusted by nobody. `maps` asks for the
    detectors' maps beside the verdict. `traceparent` is empty where the producer named no trace.
    """

    job_id: str
    client_id: str | None = None
    image_url: str | None = None
    image_hash: str | None = None
    callback_url: str | None = None
    complaint: str = ""
    maps: bool = False
    traceparent: str = ""

    def url(self) -> str:
        """The image's URL; BadJobError where the job names none."""
        if self.complaint or self.image_url is None:
            raise BadJobError(self.complaint or "The job has no image_url.")
        return self.image_url


@dataclass(frozen=True, slots=True)
class Callback:
    """One answer on its way to the producer; `body` is JSON of at most 100,000 bytes in UTF-8."""

    url: str
    job_id: str
    body: str
    traceparent: str = ""


def parse_job(fields: Mapping[bytes, bytes]) -> Job:
    """The job in the JSON of the field `data`, or in plain fields; UnreadableMessageError where there is no jobId."""
    content = _content(fields)
    job_id = _identifier(content.get("jobId"))
    if job_id is None:
        raise UnreadableMessageError(f"The jobId must be a text of 1 to {_LONGEST_ID} characters.")
    url, complaint = _url(content.get("image_url"))
    return Job(
        job_id=job_id,
        client_id=_identifier(content.get("clientId")),
        image_url=url,
        image_hash=_text(content.get("image_hash"), _LONGEST_ID),
        callback_url=_text(content.get("callback_url"), _LONGEST_URL),
        complaint=complaint,
        maps=content.get("maps") is True or content.get("maps") == "true",
        traceparent=_trace(content.get("traceparent")),
    )


class _Digits(str):
    """A whole number of the JSON as it was written: ids may have more digits than a number can be read with."""

    __slots__ = ()


def _content(fields: Mapping[bytes, bytes]) -> Mapping[str, object]:
    # What the worker itself added to a job that comes back does not count.
    if sum(len(name) + len(value) for name, value in fields.items() if name != RETRIES_FIELD) > LARGEST_MESSAGE:
        raise UnreadableMessageError(f"The message is larger than {LARGEST_MESSAGE} bytes.")
    try:
        if b"data" not in fields:
            return {name.decode(): value.decode() for name, value in fields.items()}
        content = json.loads(fields[b"data"].decode(), parse_int=_Digits)
    except UnicodeDecodeError:
        raise UnreadableMessageError("The message is not UTF-8.") from None
    except (ValueError, RecursionError):
        raise UnreadableMessageError("The field data is not JSON.") from None
    if not isinstance(content, dict):
        raise UnreadableMessageError("The field data is not a JSON object.")
    return content


def _identifier(value: object) -> str | None:
    if isinstance(value, _Digits):
        value = str(value)  # producers with numeric ids are served, and get them back as text
    return _text(value, _LONGEST_ID)


def _url(value: object) -> tuple[str | None, str]:
    if value is None or value == "":
        return None, "The job has no image_url."
    url = _text(value, _LONGEST_URL)
    if url is None:
        return None, f"The image_url must be a text of at most {_LONGEST_URL} characters."
    return url, ""


def _trace(value: object) -> str:
    """A traceparent (W3C Trace Context, 3.2); a wrong one is no reason to refuse the job."""
    return value if isinstance(value, str) and is_traceparent(value) else ""


def is_traceparent(value: str) -> bool:
    """Whether the text names a span as W3C Trace Context writes it."""
    return _TRACEPARENT.fullmatch(value) is not None


def _text(value: object, longest: int) -> str | None:
    """The value if it is a non-empty text that fits and can be written as UTF-8 (no lone surrogates)."""
    if not isinstance(value, str) or isinstance(value, _Digits) or not 0 < len(value) <= longest:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value
