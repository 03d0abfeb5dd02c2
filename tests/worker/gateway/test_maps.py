"""What people see of a real worker's verdicts: maps over the picture, and pages in their own language."""

import html
import io
import uuid
from collections.abc import Iterator

import pytest
import redis
from PIL import Image

from forensics.registry import get
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector
from tests.worker import web as pages
from tests.worker.gateway.gateway_server import GatewayServer, running_gateway
from tests.worker.processes import WorkerProcess
from tests.worker.redis_server import RedisServer

PHOTO = pages.photo(1, (400, 300))


@pytest.fixture
def gateway(client: "redis.Redis", redis_server: RedisServer) -> Iterator[GatewayServer]:
    settings = {"REDIS_URL": redis_server.url, "IMG_ML_PROFILE": "tiny"}
    with running_gateway(redis_server.url) as server, WorkerProcess(settings, module="worker") as worker:
        worker.until_ready()
        yield server


def test_maps_are_drawn_when_asked_for_and_the_page_lays_them_over_the_upload(gateway: GatewayServer) -> None:
    asked = gateway.post_file("/v1/verdicts?wait=60&maps=true", PHOTO).headers["location"]
    assert set(gateway.get(f"{asked}/maps").json["maps"]) == {"ela", "crop_network"}
    answer = gateway.get(f"{asked}/maps/ela")
    with Image.open(io.BytesIO(answer.body)) as image:
        assert (image.format, image.size) == ("PNG", (50, 37))
    assert gateway.get(f"{asked}/maps/nothing").status == 404

    page = f"/verdicts/{asked.rpartition('/')[2]}"
    text = gateway.get(page).body.decode()
    assert f'src="{asked}/maps/ela"' in text
    assert f'src="{page}/image"' in text
    picture = gateway.get(f"{page}/image")
    assert (picture.body, picture.headers["content-type"]) == (PHOTO, "image/jpeg")
    assert gateway.get(f"{page}/report").body.count(b"data:image/png;base64,") >= 2

    plain = gateway.post_file("/v1/verdicts?wait=60", PHOTO).headers["location"]
    assert gateway.get(f"{plain}/maps").json["maps"] == []
    page = f"/verdicts/{plain.rpartition('/')[2]}"
    assert "/maps/" not in gateway.get(page).body.decode()


def test_a_german_reader_reads_nothing_in_english(gateway: GatewayServer) -> None:
    german = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.1"}
    made = gateway.post_file("/v1/verdicts?wait=60&maps=true", PHOTO)
    job = made.headers["location"].rpartition("/")[2]
    result = made.json["result"]
    told = [part["sentence"] for part in result["signals"].values()]
    told += [reason["sentence"].partition(";")[0] for reason in result["reasons"]]
    titles = [get(name).spec.title for name in ("ela", "crop_network")]
    for place in (f"/verdicts/{job}", f"/verdicts/{job}/report", f"/verdicts/{job}?fragment=true"):
        text = html.unescape(gateway.get(place, **german).body.decode())
        assert [sentence for sentence in (*told, *titles) if sentence in text] == []
        assert "Das feinste Korn hat eine Stärke von" in text
    missing = f"/verdicts/{uuid.uuid4()}"
    page = gateway.get(missing, Accept="text/html", **german).body.decode()
    assert "<h1>Nicht gefunden</h1>" in page
    assert gateway.get("/v1" + missing, **german).json["detail"].startswith("Ein Urteil mit dieser Nummer")
    assert gateway.get("/v1" + missing).json["detail"].startswith("There is no verdict with that id")


def test_a_page_that_is_not_there_is_a_page_for_a_browser(gateway: GatewayServer) -> None:
    answer = gateway.get("/nowhere", Accept="text/html")
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>Not found</h1>" in answer.body.decode()
