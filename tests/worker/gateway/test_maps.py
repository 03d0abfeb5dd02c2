"""Maps over HTTP, from a real worker: drawn when asked for, and shown over the picture."""

import io
from collections.abc import Iterator

import pytest
import redis
from PIL import Image

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
