"""The pages: drop an image, read a verdict, hand on a report, watch the queue."""

import base64
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader

from fusion.output.messages import Messages, messages
from fusion.output.report import ReportEntry, asset, data_url, map_view, render_report
from fusion.output.view import ResultView, view
from img_ml.pictures.colours import palette
from worker.streams.queue_state import read_queue
from worker.web import problems
from worker.web.api import PROBLEMS, gateway_of
from worker.web.gateway import COOKIE
from worker.web.problems import Problem
from worker.web.store import WebJob

router = APIRouter(include_in_schema=False)
_SCRIPTS = ("page.js", "queue.js", "overlay.js")
_STATIC = {"page.css": "text/css", **dict.fromkeys(_SCRIPTS, "text/javascript")}
# Statuses that have a title in the catalogue.
_TITLED = (400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 503)
# What browsers show; others are told without the picture.
_SHOWN = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/avif")
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
        (job_id,) = await gateway.take(request, owner, images[:1], maps=True)
    return RedirectResponse(f"/verdicts/{job_id}", 303)


@router.get("/verdicts/{job_id}")
async def verdict(request: Request, job_id: str, fragment: bool = False) -> Response:
    """A verdict as a page, or for scripts only the part that tells it."""
    gateway = gateway_of(request)
    job = await gateway.job(job_id, await gateway.owner(request))
    template = "fragment.html.j2" if fragment else "verdict_page.html.j2"
    say = _messages(request)
    maps = [map_view(name, f"/v1/verdicts/{job.job_id}/maps/{name}", say) for name in await gateway.store.maps(job)]
    shows = bool(maps) and _media_type(job) in _SHOWN and await gateway.store.image(job) is not None
    picture = f"/verdicts/{job.job_id}/image" if shows else ""
    bar = data_url(palette()[None])
    return _page(template, request, job=job, v=_view(job, say), maps=maps, picture=picture, bar=bar)


@router.get("/verdicts/{job_id}/image")
async def image(request: Request, job_id: str) -> Response:
    """The upload as it came, while it is kept, to lay maps over."""
    gateway = gateway_of(request)
    job = await gateway.job(job_id, await gateway.owner(request))
    data, media_type = await gateway.store.image(job), _media_type(job)
    if data is None or media_type not in _SHOWN:
        raise Problem(404, "There is no such picture, or it has expired.")
    return Response(data, media_type=media_type, headers={"Cache-Control": "private, max-age=600"})


@router.get("/verdicts/{job_id}/report")
async def report(request: Request, job_id: str) -> Response:
    """The report as one HTML file to keep; with the picture while the upload is kept."""
    gateway = gateway_of(request)
    job = await gateway.job(job_id, await gateway.owner(request))
    say = _messages(request)
    shown = _view(job, say)
    if shown is None:
        raise Problem(404, "There is no verdict yet to report on.")
    data, media_type = await gateway.store.image(job), _media_type(job)
    shows = data is not None and media_type in _SHOWN
    # The bytes go out as they came: nothing of a stranger's file is decoded here.
    picture = f"data:{media_type};base64,{base64.b64encode(data or b'').decode()}" if shows else ""
    drawn = await gateway.store.maps(job)
    maps = tuple(map_view(name, _png_url(png), say) for name, png in drawn.items())
    headers = {
        "Content-Disposition": f'attachment; filename="report-{job.job_id[:8]}.html"',
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    }
    return HTMLResponse(render_report([ReportEntry(shown, picture, maps)], say), headers=headers)


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
    return _page("docs.html.j2", request, api=request.app.openapi(), problems=PROBLEMS)


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """The pages' own style and scripts."""
    if name == "verdict.css":
        return Response(asset(name), media_type="text/css", headers=_CACHED)
    if name not in _STATIC:
        raise Problem(404, "There is no such file.")
    from importlib import resources

    text = (resources.files("worker.web") / "static" / name).read_text(encoding="utf-8")
    return Response(text, media_type=_STATIC[name], headers=_CACHED)


_CACHED = {"Cache-Control": "max-age=300"}


async def of_problem(request: Request, problem: Any) -> Response:
    """The answer to a Problem: a page for browsers that asked for one, else the problem document."""
    say = _messages(request)
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")
    if not wants_page:
        return problems.response(problem.status, problem.detail, problem.headers, say)
    title = say(f"status.{problem.status}") if problem.status in _TITLED else HTTPStatus(problem.status).phrase
    answer = _page("problem.html.j2", request, problem.status, title=title, detail=say.retold(problem.detail))
    answer.headers.update(problem.headers)
    return answer


async def of_http(request: Request, error: Any) -> Response:
    """The answer to what the framework refuses."""
    return await of_problem(request, problems.of_http(error))


async def of_validation(request: Request, error: Any) -> Response:
    """The answer to parameters of the wrong kind."""
    return await of_problem(request, problems.of_validation(error))


def _view(job: WebJob, say: Messages) -> ResultView | None:
    """What is shown of a job; None while it waits."""
    if job.document is None:
        return None
    empty = {"image": None, "image_sha256": None}
    return view(empty | job.document, job.name, say)


def _png_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _media_type(job: WebJob) -> str:
    """What the worker found the image to be; empty where it is not known."""
    return str(((job.document or {}).get("image") or {}).get("media_type", ""))


def _messages(request: Request) -> Messages:
    return messages(request.headers.get("accept-language", ""), request.app.state.language)


def _page(template: str, request: Request, status: int = 200, **values: Any) -> Response:
    values |= {"say": _messages(request), "path": request.url.path}
    return HTMLResponse(
        _templates.get_template(template).render(**values),
        status,
        {"Cache-Control": "no-store", "Vary": "Accept-Language, Cookie"},
    )
