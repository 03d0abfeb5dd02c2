"""What a callback says for every label and error, and that it always fits."""

import json
from datetime import datetime, timedelta

import pytest

from forensics.errors import JobError
from forensics.examine import Examined
from forensics.types import Claim, Evidence
from fusion.output.result import result_document
from fusion.verdict import Reason, Verdict
from worker.callbacks.body import LARGEST_BODY, EventContext, callback_for, content_type
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
    [("AI", 0.93, 0.93, "AI", 93.0), ("NON-AI", 0.02, 0.98, "NONAI", 98.0), ("UNCERTAIN", 0.5, 0.5, "UNCERTAIN", 50.0),
     ("UNCERTAIN", 0.475, 0.525, "UNCERTAIN", 52.5), ("UNCERTAIN", None, None, "UNCERTAIN", 0.0)],
)  # fmt: skip
def test_each_label_has_its_mark_and_the_confidence_of_the_result(label, probability, confidence, mark, told):
    reasons = (Reason("First sentence.", "a", 2.0), Reason("Second one.", "b", -0.4))
    body = body_of(verdict(label, probability, confidence, reasons=reasons))
    assert body["reason"].startswith("First sentence. Second one.")
    del body["reason"]
    assert body == {
        "jobId": "j1", "clientId": "c1", "image_url": "http://a.test/x.jpg", "image_hash": "abc",
        "mark": mark, "confidence": told, "retry": False,
        "status": "done", "label": label, "label_basis": "pixels", "leaning": None, "fusion_prob": probability,
        "not_judged": None, "provenance": [], "fingerprint": "f", "schema_version": 1,
    }  # fmt: skip


def test_a_declared_label_is_certain_and_says_so():
    body = body_of(verdict("AI", 0.2, None, basis="provenance", claims=(CLAIM,)))
    assert (body["mark"], body["confidence"]) == ("AI", 100.0)
    assert CLAIM.statement in body["reason"]
    assert (body["label_basis"], body["fusion_prob"]) == ("provenance", 0.2)
    assert body["provenance"][0]["generator"] == "g"


@pytest.mark.parametrize(
    "error", [FetchFailedError("The server answered 503.", retryable=True), TooLargeError("The body is too large.")]
)
def test_an_error_says_what_went_wrong_and_whether_to_try_again(error):
    body = body_of(error)
    assert (body["mark"], body["confidence"], body["reason"]) == ("ERROR", 0.0, str(error))
    assert body["retry"] is error.retryable
    assert (body["status"], body["label"], body["fingerprint"], body["provenance"]) == ("error", None, None, [])


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


def test_declarations_that_leave_no_room_are_left_to_the_result():
    claim = Claim(carrier="c2pa", says_ai=True, decisive=True, statement="x" * 150_000, generator="g")
    body = body_of(verdict("AI", 0.2, None, basis="provenance", claims=(claim,)))
    assert (body["mark"], body["provenance"]) == ("AI", [])


def test_an_event_is_a_cloud_event_with_the_same_data():
    document = result_document(verdict("AI", 0.93, 0.93), job_id="j1", client_id="c1", image_url=JOB.image_url)
    event = json.loads(callback_for(JOB, document, EventContext("{a}:jobs", "17-0")).body)
    data = json.loads(callback_for(JOB, document).body)
    assert datetime.fromisoformat(event.pop("time")).utcoffset() == timedelta(0)
    assert event == {
        "specversion": "1.0", "id": "17-0", "source": "/img_ml/%7Ba%7D%3Ajobs", "type": "img_ml.verdict",
        "subject": "j1", "datacontenttype": "application/json", "data": data,
    }  # fmt: skip


def test_an_event_about_an_error_has_a_type_of_its_own_and_fits():
    document = result_document(TooLargeError("é" * 300_000), job_id="j1")
    body = callback_for(JOB, document, EventContext("jobs", "17-0")).body
    assert LARGEST_BODY * 0.8 < len(body.encode()) <= LARGEST_BODY
    assert json.loads(body)["type"] == "img_ml.error"


def test_the_media_type_follows_the_body():
    document = result_document(TooLargeError("x"), job_id="j1")
    plain, event = callback_for(JOB, document), callback_for(JOB, document, EventContext("jobs", "17-0"))
    assert content_type(plain.body.encode()) == "application/json"
    assert content_type(event.body.encode()) == "application/cloudevents+json"
