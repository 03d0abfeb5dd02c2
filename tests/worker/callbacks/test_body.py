"""What a callback says for every label and error, and that it always fits."""

import json

import pytest

from forensics.errors import JobError
from forensics.examine import Examined
from forensics.types import Claim, Evidence
from fusion.output.result import result_document
from fusion.verdict import Reason, Verdict
from worker.callbacks.body import LARGEST_BODY, callback_for
from worker.errors import FetchFailedError, TooLargeError
from worker.streams.messages import Job

JOB = Job("j1", "c1", "http://a.test/x.jpg", "abc", "http://b.test/hook")
CLAIM = Claim(carrier="c2pa", says_ai=True, decisive=True, statement="A signed claim says AI.", generator="g")


def verdict(label: str, probability: float | None, confidence: float | None, **more) -> Verdict:
    evidence = Examined(Evidence("ab" * 32, "image/png", 300, 200, ())).evidence
    parts = {"basis": "pixels", "reasons": (), "claims": (), **more}
    return Verdict(
        label=label, fusion_prob=probability, confidence=confidence, evidence=evidence, profile="p", fingerprint="f",
        **parts,
    )  # fmt: skip


def body_of(outcome: Verdict | JobError, job: Job = JOB) -> dict[str, object]:
    about = {"job_id": job.job_id, "client_id": job.client_id, "image_url": job.image_url}
    callback = callback_for(job, result_document(outcome, **about))
    assert (callback.url, callback.job_id) == (job.callback_url, job.job_id)
    assert len(callback.body.encode()) <= LARGEST_BODY
    return json.loads(callback.body)


def test_a_job_without_a_callback_url_has_no_callback():
    assert callback_for(Job("j", image_url="http://a.test/x"), {}) is None


@pytest.mark.parametrize(
    ("label", "probability", "confidence", "mark", "told"),
    [("AI", 0.93, 0.93, "AI", 93.0), ("NON-AI", 0.02, 0.98, "NONAI", 98.0), ("UNCERTAIN", 0.5, 0.5, "UNCERTAIN", 100.0),
     ("UNCERTAIN", 0.4, 0.6, "UNCERTAIN", 80.0), ("UNCERTAIN", None, None, "UNCERTAIN", 100.0)],
)  # fmt: skip
def test_each_label_has_its_mark_and_the_confidence_in_that_mark(label, probability, confidence, mark, told):
    reasons = (Reason("First sentence.", "a", 2.0), Reason("Second one.", "b", -0.4))
    body = body_of(verdict(label, probability, confidence, reasons=reasons))
    assert body["reason"].startswith("First sentence. Second one.")
    del body["reason"]
    assert body == {
        "jobId": "j1", "clientId": "c1", "image_url": "http://a.test/x.jpg", "image_hash": "abc",
        "mark": mark, "confidence": told, "retry": False,
    }  # fmt: skip


def test_a_declared_label_is_certain_and_says_so():
    body = body_of(verdict("AI", 0.2, None, basis="provenance", claims=(CLAIM,)))
    assert (body["mark"], body["confidence"]) == ("AI", 100.0)
    assert CLAIM.statement in body["reason"]


@pytest.mark.parametrize(
    "error", [FetchFailedError("The server answered 503.", retryable=True), TooLargeError("Too large.")]
)
def test_an_error_says_what_went_wrong_and_whether_to_try_again(error):
    body = body_of(error)
    assert (body["mark"], body["confidence"], body["reason"]) == ("ERROR", 0.0, str(error))
    assert body["retry"] is error.retryable


def test_what_the_job_left_out_is_null():
    body = body_of(TooLargeError("x"), Job("j", callback_url="http://b.test/"))
    assert (body["clientId"], body["image_url"], body["image_hash"]) == (None, None, None)


@pytest.mark.parametrize("character", ["a", "é", "\x01", "😀", '"'])
def test_a_long_reason_is_cut_to_fit_whatever_it_is_made_of(character):
    body = body_of(TooLargeError(character * 300_000))
    assert body["reason"].startswith(character)
    assert body["reason"].endswith("…")
    assert len(json.dumps(body, ensure_ascii=False)) > LARGEST_BODY / 5


def test_a_body_whose_other_parts_leave_no_room_has_no_reason():
    job = Job("\x01" * 512, "\x01" * 512, "\x01" * 8192, "\x01" * 512, "http://b.test/")
    body = body_of(TooLargeError("why " * 40_000), job)
    assert body["image_url"] == job.image_url
