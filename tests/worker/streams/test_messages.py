"""Jobs from hostile stream fields."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import BadJobError, UnreadableMessageError
from worker.streams.messages import Job, parse_job


def message(**content: object) -> dict[bytes, bytes]:
    return {b"data": json.dumps(content).encode()}


def test_the_existing_producers_message_is_read():
    job = parse_job(
        message(
            type="IMAGE", jobId="j", clientId="c", image_url="https://a.test/x.jpg", image_hash="ab",
            callback_url="https://b.test/done", STREAM_KEY="stream:ai:imageml:jobs", retry=0,
        )
    )  # fmt: skip
    assert job == Job("j", "c", "https://a.test/x.jpg", "ab", "https://b.test/done")
    assert job.url() == "https://a.test/x.jpg"


def test_plain_fields_are_read():
    job = parse_job({b"jobId": b"j", b"image_url": "https://a.test/ä.jpg".encode(), b"extra": b"ignored"})
    assert (job.job_id, job.client_id, job.url()) == ("j", None, "https://a.test/ä.jpg")


@pytest.mark.parametrize(("told", "asked"), [(True, True), ("true", True), (False, False), (1, False), ([], False)])
def test_maps_are_asked_for_by_true_alone(told, asked):
    assert parse_job(message(jobId="j", image_url="https://a.test/x.jpg", maps=told)).maps is asked


@pytest.mark.parametrize("url", [None, "", 17, ["x"], {"a": 1}, True, "x" * 8193, "\ud800"])
def test_a_job_without_a_usable_url_complains_when_asked_for_it(url):
    job = parse_job(message(jobId="j", image_url=url))
    assert job.image_url is None
    with pytest.raises(BadJobError, match="image_url"):
        job.url()


@pytest.mark.parametrize("job_id", [None, "", True, 1.5, [], {}, "x" * 513, 10**600, "\udfff"])
def test_a_message_without_a_usable_job_id_is_unreadable(job_id):
    with pytest.raises(UnreadableMessageError, match="jobId"):
        parse_job(message(jobId=job_id, image_url="https://a.test/x.jpg"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"), (b"nope", "not JSON"), (b"[" * 100_000, "not JSON"),
        (b"{\"jobId\": " + b"9" * 10_000 + b"}", "jobId must be"),
        (b"[1]", "not a JSON object"), (b'"text"', "not a JSON object"), (b"null", "not a JSON object"),
        (b"\xff\xfe", "not UTF-8"), (b'{"jobId":"' + b"x" * 300_000 + b'"}', "larger than"),
    ],
)  # fmt: skip
def test_what_is_no_json_object_of_sane_size_is_unreadable(data, reason):
    with pytest.raises(UnreadableMessageError, match=reason):
        parse_job({b"data": data})


def test_no_fields_at_all_are_unreadable():
    with pytest.raises(UnreadableMessageError, match="jobId must be"):
        parse_job({})


def test_odd_optional_fields_are_dropped_and_the_job_goes_on():
    job = parse_job(message(jobId="j", clientId=[1], image_url="u", image_hash=5, callback_url={"a": 1}))
    assert (job.client_id, job.image_hash, job.callback_url, job.url()) == (None, None, None, "u")


_NAMES = ["jobId", "clientId", "image_url", "image_hash", "callback_url"]


def texts_of(job: Job) -> list[str | None]:
    return [job.job_id, job.client_id, job.image_url, job.image_hash, job.callback_url]


@given(
    st.dictionaries(
        st.sampled_from([b"data", *(name.encode() for name in _NAMES)]) | st.binary(max_size=20),
        st.binary(max_size=200) | st.text(max_size=50).map(str.encode),
        max_size=5,
    )
)
def test_any_fields_give_a_job_that_says_no_more_than_they_do_or_are_unreadable(fields):
    try:
        job = parse_job(fields)
    except UnreadableMessageError:
        return
    if b"data" not in fields:
        assert job.job_id
        written = [fields.get(name.encode(), b"").decode() or None for name in _NAMES]
        assert texts_of(job) == written


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(_NAMES), _JSON))
def test_any_json_gives_a_job_that_can_be_written_as_utf8_or_is_unreadable(content):
    try:
        job = parse_job({b"data": json.dumps(content).encode()})
    except UnreadableMessageError:
        return
    told = texts_of(job)
    assert json.loads(json.dumps(told, ensure_ascii=False).encode()) == told
    assert all(one is None or isinstance(one, str) for one in told)
    assert job.job_id == str(content["jobId"])


def test_what_the_worker_added_does_not_make_a_job_too_large():
    data = json.dumps({"jobId": "j", "more": "x" * (256 * 1024 - 40)}).encode()
    fields = {b"data": data, b"more": b"x" * (256 * 1024 - len(data) - 8)}
    assert parse_job(fields).job_id == "j"
    assert parse_job({**fields, b"img_ml_retries": b"3"}).job_id == "j"
    with pytest.raises(UnreadableMessageError, match="larger"):
        parse_job({**fields, b"another": b"3"})


@pytest.mark.parametrize("number", ["1234567890123456789", "-5", "9" * 512])
def test_whole_numbers_of_any_size_are_ids_and_come_back_as_they_were_written(number):
    """Snowflakes have 19 digits; what reads them as floating point would give another id back."""
    fields = {b"data": f'{{"jobId": {number}, "clientId": {number}, "image_url": "http://a.test/"}}'.encode()}
    job = parse_job(fields)
    assert (job.job_id, job.client_id) == (number, number)
    assert type(job.job_id) is str


def test_a_number_is_no_url():
    job = parse_job({b"data": b'{"jobId": 1, "image_url": 5, "image_hash": 7}'})
    assert (job.image_url, job.image_hash) == (None, None)
    assert "image_url" in job.complaint
