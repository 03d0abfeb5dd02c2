"""The HTTP API: verdicts, batches, events, detectors, health."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from worker.streams.retry import REDIS_UNAVAILABLE
from worker.web.gateway import Gateway
from worker.web.problems import Problem, try_later
from worker.web.store import WebJob

router = APIRouter()
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": told, "content": {"application/problem+json": {}}}
    for status, told in {
        400: "The body cannot be read.",
        401: "An API key is required.",
        403: "Refused.",
        404: "Not found, or expired.",
        408: "The body arrived too slowly.",
        413: "The body is too large.",
        415: "The media type is not supported.",
        422: "A value is invalid.",
        429: "Too many requests; Retry-After says when.",
        503: "No capacity right now; Retry-After says when.",
    }.items()
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"image_url": {"type": "string", "format": "uri"}},
                    "required": ["image_url"],
                }
            },
        },
    }
}
_BATCH_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"image_urls": {"type": "array", "items": {"type": "string", "format": "uri"}}},
                    "required": ["image_urls"],
                }
            },
        },
    }
}
Wait = Annotated[float, Query(ge=0, le=600, description="Seconds to wait for the verdict.")]
Once = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        description="Makes a repeated request safe: the same key gives the same job.",
    ),
]

Drawn = Annotated[bool, Query(description="Whether to draw the detectors' maps, kept for ten minutes.")]


@router.post("/v1/verdicts", status_code=202, responses={200: {"description": "The verdict."}, **PROBLEMS},
             openapi_extra=_BODY, summary="Ask for a verdict on one image")  # fmt: skip
async def ask(request: Request, wait: Wait = 0, maps: Drawn = False, idempotency_key: Once = "") -> Response:
    """Take one image: a file in a form, its bytes, or a URL. 200 with the verdict where it came in time, else 202."""
    gateway = gateway_of(request)
    owner = await gateway.owner(request)
    async with gateway.bodies.images(request, most=1) as images:
        if len(images) > 1:
            raise Problem(422, "One image at a time; /v1/batches takes many.")
        (job_id,) = await gateway.take(request, owner, images, idempotency_key, maps=maps)
    job = await gateway.waited(job_id, owner, wait)
    place = f"/v1/verdicts/{job_id}"
    return JSONResponse(told(job), 202 if job.state == "waiting" else 200, {"Location": place})


@router.get("/v1/verdicts/{job_id}", responses=PROBLEMS, summary="A verdict, or its status")
async def verdict(request: Request, job_id: str, wait: Wait = 0) -> Response:
    """The state of a job, with its result document once there is one."""
    gateway = gateway_of(request)
    owner = await gateway.owner(request)
    return JSONResponse(told(await gateway.waited(job_id, owner, wait)))


@router.get("/v1/verdicts/{job_id}/maps", responses=PROBLEMS, summary="The maps of a verdict")
async def maps(request: Request, job_id: str) -> Response:
    """The detectors that drew a map of the image, where the job asked for maps."""
    gateway = gateway_of(request)
    job = await gateway.job(job_id, await gateway.owner(request))
    return JSONResponse({"maps": list(await gateway.store.maps(job))})


@router.get("/v1/verdicts/{job_id}/maps/{detector}", summary="One map as a PNG",
            responses={200: {"content": {"image/png": {}}}, **PROBLEMS}, response_class=Response)  # fmt: skip
async def one_map(request: Request, job_id: str, detector: str) -> Response:
    """A detector's map of the image, in colour; it covers the whole image, with far fewer pixels."""
    gateway = gateway_of(request)
    job = await gateway.job(job_id, await gateway.owner(request))
    found = (await gateway.store.maps(job)).get(detector)
    if found is None:
        raise Problem(404, "There is no map by that detector, or it has expired.")
    return Response(found, media_type="image/png", headers={"Cache-Control": "private, max-age=600"})


@router.post("/v1/batches", status_code=202, responses=PROBLEMS, openapi_extra=_BATCH_BODY,
             summary="Ask for verdicts on many images")  # fmt: skip
async def ask_many(request: Request) -> Response:
    """Take many files or URLs as one batch."""
    gateway = gateway_of(request)
    owner = await gateway.owner(request)
    async with gateway.bodies.images(request, gateway.settings.web_max_batch) as images:
        ids = await gateway.take(request, owner, images)
        names = [image.name for image in images]
    batch_id = await gateway.store.make_batch(owner, ids)
    jobs = [{"job_id": job_id, "name": name} for job_id, name in zip(ids, names, strict=True)]
    return JSONResponse({"batch_id": batch_id, "jobs": jobs}, 202, {"Location": f"/v1/batches/{batch_id}"})


@router.get("/v1/batches/{batch_id}", responses=PROBLEMS, summary="Progress of a batch")
async def batch(request: Request, batch_id: str) -> Response:
    """How many images of the batch are answered, and each one's state and label."""
    gateway = gateway_of(request)
    owner = await gateway.owner(request)
    ids = await gateway.store.batch(batch_id, owner)
    if ids is None:
        raise Problem(404, "There is no batch with that id, or it has expired.")
    jobs = [job for job_id in ids if (job := await gateway.store.job(job_id, owner)) is not None]
    listed = [
        {"job_id": j.job_id, "name": j.name, "status": j.state, "label": (j.document or {}).get("label")} for j in jobs
    ]
    done = sum(job.state != "waiting" for job in jobs)
    return JSONResponse({"batch_id": batch_id, "total": len(ids), "done": done, "jobs": listed})


@router.get("/v1/events", responses=PROBLEMS, summary="Results as server-sent events")
async def events(request: Request) -> Response:
    """One event `verdict` for each of the caller's jobs that is answered from now on."""
    gateway = gateway_of(request)
    owner = await gateway.owner(request)

    async def stream() -> AsyncIterator[str]:
        import asyncio

        with gateway.collector.events(owner) as queue:
            yield ": listening\n\n"
            while True:
                try:
                    async with asyncio.timeout(15):
                        event = await queue.get()
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                data = json.dumps({"job_id": event.job_id, "status": event.state, "label": event.label})
                yield f"event: verdict\nid: {event.job_id}\ndata: {data}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.get("/v1/detectors", responses=PROBLEMS, summary="The detectors, and what each measures")
async def detectors(request: Request) -> Response:
    """Every registered detector."""
    from forensics.registry import entries
    from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector

    await gateway_of(request).owner(request)
    listed = [
        {
            "name": entry.spec.name,
            "title": entry.spec.title,
            "profile": entry.spec.tier,
            "looks_at": entry.spec.looks_at,
            "fails_when": entry.spec.fails_when,
            "numbers": [
                {"name": n.name, "low": n.low, "high": n.high, "meaning": n.meaning} for n in entry.spec.numbers
            ],
        }
        for entry in entries()
    ]
    return JSONResponse(listed)


@router.get("/healthz", summary="Liveness", include_in_schema=False)
async def healthz() -> Response:
    """Always 200."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", summary="Readiness", include_in_schema=False)
async def readyz(request: Request) -> Response:
    """200 where Redis answers and results are read, else 503."""
    gateway = gateway_of(request)
    try:
        await gateway.client.ping()
    except REDIS_UNAVAILABLE:
        raise try_later(503, "Redis is unavailable.") from None
    if not gateway.collector.ready:
        raise try_later(503, "Results are not read yet.")
    return JSONResponse({"status": "ready"})


@router.get("/metrics", summary="Prometheus metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """The gateway's own counters; the worker has its own."""
    await gateway_of(request).owner(request)
    return Response(generate_latest(gateway_of(request).registry), media_type=CONTENT_TYPE_LATEST)


def gateway_of(request: Request) -> Gateway:
    """The gateway that the app was made for."""
    found: Gateway = request.app.state.gateway
    return found


def told(job: WebJob) -> Mapping[str, Any]:
    """A job as the API tells it; `result` is the result document of the stream."""
    return {"job_id": job.job_id, "name": job.name, "status": job.state, "result": job.document}
