"""Traces: a job's traceparent leads through its spans to its callback; without a collector there is nothing."""

import asyncio
import json

import pytest

from tests.worker import web
from tests.worker.doubles import verdict_on
from tests.worker.processes import JOBS, RESULTS, WorkerProcess, push, results_of
from tests.worker.receiver import running_receiver
from tests.worker.redis_server import wait_until
from worker.callbacks.client import CallbackClient, CallbackClientRules
from worker.callbacks.delivery import Deliverer, DeliveryRules
from worker.observability import tracing
from worker.pipeline.decode_pool import DecodePool
from worker.pipeline.pipeline import Pipeline, PipelineRules
from worker.pipeline.processing import JobProcessor, Stages
from worker.streams.messages import parse_job
from worker.streams.outbox import Outbox
from worker.streams.stream import JobStream, StreamNames

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


async def work(url: str, place: str) -> None:
    """The real pipeline and deliverer until the stream and the outbox are empty; the photo comes from nowhere."""
    from forensics.sandbox.sandbox import SandboxRules

    stream = JobStream(url, StreamNames(JOBS, RESULTS, "workers", "me"), block_ms=50, lease_s=5)
    outbox = Outbox(url, stream.names, lease_s=5)
    client = CallbackClient(CallbackClientRules(timeout_s=5, allowed_places=frozenset({place})))
    pool = DecodePool(SandboxRules())
    stop = asyncio.Event()
    deliverer = Deliverer(outbox, client.post, DeliveryRules(), stream.callbacks_written)
    delivering = asyncio.create_task(deliverer.run(stop, asyncio.Event()))

    async def fetch(url: str) -> bytes:
        return web.photo(1)

    async def conclude(examined):
        return verdict_on(examined)

    try:
        stages = Stages(fetch, lambda data: pool.examine(data, ("ela", "exif"), False), conclude)
        rules = PipelineRules(stop_when_idle_s=0.3)
        await Pipeline(stream, JobProcessor(stages, 4), rules, lambda event: None).run(asyncio.Event())
        while not await stream.is_empty():  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.05)
    finally:
        stop.set()
        await delivering
        await outbox.close()
        await client.close()
        await stream.close()
        await asyncio.to_thread(pool.close)


async def test_the_spans_of_a_job_lead_from_its_producer_to_its_callback(client, redis_server):
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter").InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(memory))
    with running_receiver() as receiver, tracing.traced(provider):
        push(client, "traced", "http://a.test/", callback_url=receiver.url, traceparent=TRACEPARENT)
        push(client, "begins a trace", "http://a.test/", callback_url=receiver.url)
        await asyncio.wait_for(work(redis_server.url, receiver.place), 60)
        posted = {one.content["jobId"]: one.headers["traceparent"] for one in receiver.posted}
    spans = [span for span in memory.get_finished_spans() if f"{span.context.trace_id:032x}" == TRACE]
    by_name = {span.name: span for span in spans}
    assert set(by_name) == {"job", "fetch", "examine", "conclude", "detector ela", "detector exif", "callback"}
    parents = {name: span.parent.span_id for name, span in by_name.items()}
    ids = {name: span.context.span_id for name, span in by_name.items()}
    assert f"{parents['job']:016x}" == SPAN
    assert {parents[name] for name in ("fetch", "examine", "conclude", "callback")} == {ids["job"]}
    assert {parents[name] for name in ("detector ela", "detector exif")} == {ids["examine"]}
    assert by_name["detector ela"].end_time > by_name["detector ela"].start_time
    assert posted["traced"] == f"00-{TRACE}-{ids['callback']:016x}-01"
    assert posted["begins a trace"].split("-")[1] != TRACE
    assert isinstance(tracing.tracing(), tracing.NoTracing)


async def test_without_a_collector_the_callback_carries_the_jobs_own_traceparent(client, redis_server):
    with running_receiver() as receiver:
        push(client, "traced", "http://a.test/", callback_url=receiver.url, traceparent=TRACEPARENT)
        push(client, "untraced", "http://a.test/", callback_url=receiver.url)
        await asyncio.wait_for(work(redis_server.url, receiver.place), 60)
        posted = {one.content["jobId"]: one.headers.get("traceparent") for one in receiver.posted}
    assert posted == {"traced": TRACEPARENT, "untraced": None}


@pytest.mark.parametrize(
    "value", ["", "00-1-2-01", f"00-{TRACE}-{SPAN}-01\r\nX: y", f"00-{TRACE.upper()}-{SPAN}-01", 7, None, [TRACEPARENT]]
)
def test_what_is_no_traceparent_is_left_out_and_the_job_stays(value):
    assert parse_job({b"data": json.dumps({"jobId": "a", "traceparent": value}).encode()}).traceparent == ""
    assert parse_job({b"jobId": b"a", b"traceparent": TRACEPARENT.encode()}).traceparent == TRACEPARENT


def test_a_worker_whose_collector_cannot_be_had_or_reached_works_all_the_same(client, redis_server):
    with web.running_web() as server:
        server.pages["/good.jpg"] = web.photo(1)
        settings = {"REDIS_URL": redis_server.url, "FETCH_ALLOW": server.place}
        settings |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "false"}
        push(client, "a", f"{server.url}/good.jpg", traceparent=TRACEPARENT)
        with WorkerProcess(settings) as worker:
            assert results_of(client, 1)["a"]["status"] == "done"
            wait_until(lambda: "worker is ready" in worker.said())
