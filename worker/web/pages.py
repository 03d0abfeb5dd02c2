"""The pages: drop an image, read a verdict, hand on a report, watch the queue."""

import base64
from typing import Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader

from fusion.output.messages import Messages, messages
from fusion.output.view import ResultView, view
from worker.streams.queue_state import read_queue
from worker.web.api import gateway_of
from worker.web.gateway import COOKIE
from worker.web.problems import Problem
from worker.web.store import WebJob

router = APIRouter(include_in_schema=False)
_STATIC = {"page.css": "text/css", "page.js": "text/javascript", "queue.js": "text/javascript"}
_templates = Environment(
    loader=ChoiceLoader([PackageLoader("worker.web", "templates"), PackageLoader("fusion.output", "templates")]),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


@router.get("/")
async def front(request: Request) -> Response:
    """The page to drop images on; where a key is needed and none was given, the page that asks for it."""
    gateway = gateway_of(request)
    try:
        await gateway.owner(request)
    except Problem as problem:
        if problem.status != 401:
            raise
        return _page("key.html.j2", request, 401)
    return _page("front.html.j2", request, megabytes=gateway.settings.web_max_bytes // 2**20)


@router.post("/session")
async def begin(request: Request, key: str = Form("", max_length=200)) -> Response:
    """Remember the key in a cookie that scripts cannot read and other sites cannot send."""
    gateway = gateway_of(request)
    if await gateway.keys.owner(key.strip()) is None:
        return _page("key.html.j2", request, 401, wrong=True)
    answer = RedirectResponse("/", 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, key.strip(), httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/check")
async def check(request: Request) -> Response:
    """The form of a browser without scripts: take one image, lead to its verdict."""
    gateway = gateway_of(request)
    owner = await gateway.owner(request)
    async with gateway.bodies.images(request, most=1) as images:
        (job_id,) = await gateway.take(request, owner, images[:1])
    return RedirectResponse(f"/verdicts/{job_id}", 303)


@router.get("/verdicts/{job_id}")
async def verdict(request: Request, job_id: str, fragment: bool = False) -> Response:
    """A verdict as a page, or for scripts only the part that tells it."""
    gateway = gateway_of(request)
    job = await gateway.job(job_id, await gateway.owner(request))
    template = "fragment.html.j2" if fragment else "verdict_page.html.j2"
    return _page(template, request, job=job, v=_view(job, _messages(request)))


@router.get("/verdicts/{job_id}/report")
async def report(request: Request, job_id: str) -> Response:
    """The report as one HTML file to keep; with the picture while the upload is kept."""
    from fusion.output.report import ReportEntry, render_report

    gateway = gateway_of(request)
    job = await gateway.job(job_id, await gateway.owner(request))
    say = _messages(request)
    shown = _view(job, say)
    if shown is None:
        raise Problem(404, "There is no verdict yet to report on.")
    media_type = ((job.document or {}).get("image") or {}).get("media_type", "")
    data = await gateway.store.image(job)
    shows = data is not None and media_type in ("image/jpeg", "image/png", "image/webp", "image/gif", "image/avif")
    # The bytes go out as they came: nothing of a stranger's file is decoded here.
    picture = f"data:{media_type};base64,{base64.b64encode(data or b'').decode()}" if shows else ""
    headers = {
        "Content-Disposition": f'attachment; filename="report-{job.job_id[:8]}.html"',
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    }
    return HTMLResponse(render_report([ReportEntry(shown, picture)], say), headers=headers)


@router.get("/queue")
async def queue(request: Request, fragment: bool = False) -> Response:
    """How the queues stand."""
    gateway = gateway_of(request)
    await gateway.owner(request)
    names = request.app.state.queues
    states = [(one.jobs, await read_queue(gateway.client, one)) for one in names]
    return _page("queue_table.html.j2" if fragment else "queue.html.j2", request, states=states)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The API's documentation, made from its OpenAPI document."""
    return _page("docs.html.j2", request, api=request.app.openapi())


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """The pages' own style and scripts."""
    if name == "verdict.css":
        from fusion.output.report import asset

        return Response(asset(name), media_type="text/css", headers=_CACHED)
    if name not in _STATIC:
        raise Problem(404, "There is no such file.")
    from importlib import resources

    text = (resources.files("worker.web") / "static" / name).read_text(encoding="utf-8")
    return Response(text, media_type=_STATIC[name], headers=_CACHED)


_CACHED = {"Cache-Control": "max-age=300"}


def _view(job: WebJob, say: Messages) -> ResultView | None:
    """What is shown of a job; None while it waits."""
    if job.document is None:
        return None
    empty = {"image": None, "image_sha256": None}
    return view(empty | job.document, job.name, say)


def _messages(request: Request) -> Messages:
    return messages(request.headers.get("accept-language", ""), request.app.state.language)


def _page(template: str, request: Request, status: int = 200, **values: Any) -> Response:
    values |= {"say": _messages(request), "path": request.url.path}
    return HTMLResponse(
        _templates.get_template(template).render(**values),
        status,
        {"Cache-Control": "no-store", "Vary": "Accept-Language, Cookie"},
    )
