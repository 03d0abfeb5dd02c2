"""Reading request bodies: counted as they come, within a time, in memory alone."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from forensics.documents import json_of
from worker.web.problems import Problem, try_later
from worker.web.settings import WebSettings

# What a multipart body or JSON needs beside the file itself.
_ALLOWANCE = 64 * 1024
_LONGEST_NAME = 200
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Sent:
    """One image that was sent: its bytes, or the URL it lies behind; `name` is what the sender calls it."""

    name: str
    data: bytes | None = None
    url: str = ""


class _InMemory(MultiPartParser):
    # Images are never put on disk; the size was limited before.
    spool_max_size = 1 << 40


class BodyReader:
    """Reads bodies; `web_bodies_at_once` of them are held at a time."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._room = asyncio.Semaphore(settings.web_bodies_at_once)

    @contextlib.asynccontextmanager
    async def images(self, request: Request, most: int) -> AsyncIterator[list[Sent]]:
        """The images of a request while they are held, at most that many; Problem where it has none."""
        async with self._held():
            yield await self._images(request, most)

    @contextlib.asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._room.acquire()
        except TimeoutError:
            raise try_later(503, "Too many uploads at once; try again in a moment.") from None
        try:
            yield
        finally:
            self._room.release()

    async def _images(self, request: Request, most: int) -> list[Sent]:
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Problem(415, "Compressed request bodies are not accepted.")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            return _from_json(await self._body(request, _ALLOWANCE + 8192 * most), most)
        limit = self._settings.web_max_bytes
        if kind == "multipart/form-data":
            # A batch may hold many small files; all together stay within what a few large ones take.
            body = await self._body(request, min(most, 5) * limit + _ALLOWANCE)
            return await self._from_form(request, body, most)
        if kind.startswith("image/") or kind == "application/octet-stream":
            data = await self._body(request, limit)
            return [Sent("upload", _not_empty(data))]
        raise Problem(415, "Send multipart/form-data with a file, the image itself, or JSON with an image_url.")

    async def _body(self, request: Request, limit: int) -> bytes:
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > limit:
            raise Problem(413, f"The request is larger than {limit} bytes.", {"Connection": "close"})
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.web_body_s):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > limit:
                        raise Problem(413, f"The request is larger than {limit} bytes.", {"Connection": "close"})
        except TimeoutError:
            told = f"The body did not arrive within {self._settings.web_body_s:g} s."
            raise Problem(408, told, {"Connection": "close"}) from None
        except ClientDisconnect:
            raise Problem(400, "The body is incomplete.") from None
        return bytes(body)

    async def _from_form(self, request: Request, body: bytes, most: int) -> list[Sent]:
        async def chunks() -> AsyncGenerator[bytes, None]:
            yield body

        parser = _InMemory(request.headers, chunks(), max_files=most, max_fields=most + 5, max_part_size=8192)
        try:
            form = await parser.parse()
        except (MultiPartException, KeyError, ValueError) as error:
            told = str(getattr(error, "message", "it is malformed")).rstrip(".")
            raise Problem(400, f"The form cannot be read: {told}.") from None
        try:
            return await self._of_form(form)
        finally:
            await form.close()

    async def _of_form(self, form: FormData) -> list[Sent]:
        found = []
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                data = await value.read()
                if not data and not value.filename:
                    continue  # a file field of a browser's form that was left empty
                if len(data) > self._settings.web_max_bytes:
                    raise Problem(413, f"A file is larger than {self._settings.web_max_bytes} bytes.")
                found.append(Sent(_name(value.filename or "upload"), _not_empty(data)))
            elif name == "image_url" and value.strip():
                found.append(_behind(value.strip()))
        if not found:
            raise Problem(400, "The form holds neither a file nor an image_url.")
        return found


def _from_json(body: bytes, most: int) -> list[Sent]:
    try:
        content: Any = json_of(body)
    except ValueError:
        raise Problem(400, "The body is not JSON.") from None
    content = content if isinstance(content, dict) else {}
    urls = content.get("image_urls") if most > 1 else [content.get("image_url")]
    if not isinstance(urls, list) or not urls:
        raise Problem(422, f"The JSON needs {'a list image_urls' if most > 1 else 'an image_url'}.")
    if len(urls) > most:
        raise Problem(413, f"A batch holds at most {most} images.")
    return [_behind(url) for url in urls]


def _behind(url: object) -> Sent:
    if not isinstance(url, str) or not url.lower().startswith(("http://", "https://")) or len(url) > 8192:
        raise Problem(422, "An image_url is an http or https URL of at most 8192 characters.")
    try:
        url.encode()
    except UnicodeEncodeError:
        raise Problem(422, "An image_url is text that can be written as UTF-8.") from None
    return Sent(url, None, url)


def _not_empty(data: bytes) -> bytes:
    if not data:
        raise Problem(400, "The file is empty.")
    return data


def _name(given: str) -> str:
    """A file's name for people: no folders, no control characters, not too long."""
    last = given.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in last)
    return shown[:_LONGEST_NAME] or "upload"
