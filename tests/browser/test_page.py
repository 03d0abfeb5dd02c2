"""The page in a real browser: drop, paste, pick, many at once, refusals, reports, the queue, and no scripts at all."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from tests.worker import web as pages
from tests.worker.gateway.gateway_server import GatewayServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PATIENCE_MS = 60_000
SAYS_SOMETHING = "AI-generated|Leans towards"

# Hands files to the page as a mouse or the clipboard would.
_HAND_OVER = """([kind, data, name]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, { type: "image/jpeg" }));
  const event = kind === "drop"
    ? new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: files, bubbles: true });
  document.getElementById("drop").dispatchEvent(event);
}"""


def photo(number: int) -> bytes:
    """Large enough to be judged."""
    return pages.photo(number, (400, 300))


def picked(number: int, name: str = "") -> dict[str, Any]:
    return {"name": name or f"{number}.jpg", "mimeType": "image/jpeg", "buffer": photo(number)}


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_an_image_that_is_dropped_or_pasted_gets_its_verdict(page: Any, kind: str) -> None:
    page.goto("/")
    page.evaluate(_HAND_OVER, [kind, base64.b64encode(photo(1)).decode(), "mine.jpg"])
    row = page.locator("#results > li")
    row.locator(".answer").wait_for(timeout=PATIENCE_MS)
    assert re.search(SAYS_SOMETHING, row.inner_text())
    assert row.locator("svg.gauge").get_attribute("aria-label").startswith("Probability of AI, from the pixels alone: ")


def test_twenty_images_are_answered_and_one_that_is_none_gets_its_sentence(page: Any) -> None:
    page.goto("/")
    broken = {"name": "page.jpg", "mimeType": "image/jpeg", "buffer": b"<html>no image</html>"}
    page.set_input_files("#file", [*(picked(n) for n in range(20)), broken])
    page.get_by_role("button", name="Check").click()
    page.locator("#status", has_text="21 / 21 answered").wait_for(timeout=PATIENCE_MS * 2)
    assert page.locator("#results .answer").count() == 21
    refused = page.locator("#results > li", has_text="page.jpg")
    assert "Not judged" in refused.inner_text()
    assert "This is an HTML file" in (refused.locator(".note").first.text_content() or "")


def test_a_slider_sets_how_strongly_a_map_covers_the_picture(page: Any) -> None:
    page.goto("/")
    page.set_input_files("#file", picked(2))
    page.get_by_role("button", name="Check").click()
    slider = page.locator(".overlay", has_text="Crop network").get_by_label("Strength of the map")
    slider.wait_for(timeout=PATIENCE_MS)
    over = page.locator(".overlay", has_text="Crop network").locator("img.map")
    below = page.locator(".overlay", has_text="Crop network").locator("img.base")
    page.wait_for_load_state("networkidle")
    assert over.bounding_box() == below.bounding_box()
    for end, opacity in (("Home", "0"), ("End", "1")):
        slider.press(end)
        assert over.evaluate("one => getComputedStyle(one).opacity") == opacity


def test_the_report_is_downloaded_as_one_file_with_the_picture(page: Any, tmp_path: Path) -> None:
    page.goto("/")
    page.set_input_files("#file", picked(3))
    page.get_by_role("button", name="Check").click()
    link = page.get_by_role("link", name="Download report")
    link.wait_for(timeout=PATIENCE_MS)
    with page.expect_download() as download:
        link.click()
    target = tmp_path / "report.html"
    download.value.save_as(target)
    text = target.read_text("utf-8")
    assert "data:image/jpeg;base64," in text
    assert "What not to conclude" in text


def test_the_queue_page_moves(page: Any, gateway: GatewayServer) -> None:
    page.goto("/queue")
    assert page.locator("[data-number=results]").inner_text() == "0"
    assert gateway.post_file("/v1/verdicts?wait=30", photo(4)).status == 200
    page.locator("[data-number=results]", has_text="1").wait_for(timeout=PATIENCE_MS)


def test_a_single_upload_works_without_scripts(chromium: Any, gateway: GatewayServer) -> None:
    context = chromium.new_context(base_url=gateway.url, java_script_enabled=False, locale="de-DE")
    page = context.new_page()
    page.goto("/")
    page.set_input_files("#file", picked(5, "bild.jpg"))
    page.get_by_role("button", name="Prüfen").click()
    page.locator(".answer").wait_for(timeout=PATIENCE_MS)
    assert page.locator(".gauge-title").inner_text() == "KI-Wahrscheinlichkeit, nach den Pixeln allein"
    context.close()


def test_everything_is_reached_and_done_with_the_keyboard(page: Any) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"file", "url", "BUTTON", "A"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_overflows_and_contrast_is_enough(
    chromium: Any, gateway: GatewayServer, scheme: str, width: int
) -> None:
    context = chromium.new_context(
        base_url=gateway.url, viewport={"width": width, "height": 800}, color_scheme=scheme, locale="en-US"
    )
    page = context.new_page()
    job_id = gateway.post_file("/v1/verdicts?wait=30", photo(6)).json["job_id"]
    for place in ("/", "/queue", "/docs", f"/verdicts/{job_id}"):
        page.goto(place)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
        assert page.evaluate(_LOWEST_CONTRAST) >= 4.5, place
        assert page.evaluate(
            "[...document.querySelectorAll('input, button')].every((one) => one.labels?.length || one.textContent)"
        )
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_on_any_page(chromium: Any, gateway: GatewayServer, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = chromium.new_context(base_url=gateway.url, color_scheme=scheme, locale="en-US")
    page = context.new_page()
    job_id = gateway.post_file("/v1/verdicts?wait=30&maps=true", photo(6)).json["job_id"]

    def checked(place: str) -> None:
        found = axe.run(page)
        assert found.violations_count == 0, f"{place}: {found.generate_report()}"

    for place in ("/queue", "/docs", f"/verdicts/{job_id}", "/"):
        page.goto(place)
        page.wait_for_load_state("networkidle")
        checked(place)
    broken = {"name": "page.jpg", "mimeType": "image/jpeg", "buffer": b"<html>no image</html>"}
    page.set_input_files("#file", picked(7))
    page.get_by_role("button", name="Check").click()
    page.locator(".overlay").first.wait_for(timeout=PATIENCE_MS)
    page.set_input_files("#file", broken)
    page.get_by_role("button", name="Check").click()
    page.locator("#status", has_text="2 / 2 answered").wait_for(timeout=PATIENCE_MS)
    checked("answers on the front page")
    context.close()


# The lowest contrast (WCAG 2.2) of any text to the background behind it.
_LOWEST_CONTRAST = """() => {
  const channel = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map((v) => channel(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$/.test(c)) return c; } return "rgb(255, 255, 255)"; };
  let lowest = 21;
  for (const e of document.querySelectorAll("body *")) {
    if (e.closest("svg") || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    lowest = Math.min(lowest, (a + 0.05) / (b + 0.05));
  }
  return lowest;
}"""
