"""`python -m tests.browser.screenshots FOLDER [URL]`: pictures of every page of a running gateway, to be looked at."""

import shutil
import sys
from pathlib import Path
from typing import Any

import skimage.data
from playwright.sync_api import sync_playwright

PATIENCE_MS = 120_000
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
PHOTOS = Path(skimage.data.__file__).parent


def shoot(browser: Any, url: str, folder: Path, scheme: str, width: int) -> None:
    """The front page, with a verdict open, with a refused file among others, the queue, the API, a verdict alone."""
    height = 900 if width > 600 else 844
    context = browser.new_context(
        base_url=url, viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-US"
    )
    page = context.new_page()

    def keep(name: str) -> None:
        page.screenshot(path=folder / f"{name}-{scheme}-{width}.png", full_page=True)

    page.goto("/")
    keep("front")
    page.set_input_files("#file", PHOTOS / "coffee.png")
    page.get_by_role("button", name="Check").click()
    page.locator("#status", has_text="1 / 1").wait_for(timeout=PATIENCE_MS)
    page.wait_for_load_state("networkidle")
    keep("verdict")
    page.goto("/")
    broken = {"name": "page.jpg", "mimeType": "image/jpeg", "buffer": b"<html>no image</html>"}
    page.set_input_files("#file", [])
    page.set_input_files("#file", [broken])
    page.get_by_role("button", name="Check").click()
    page.set_input_files("#file", [PHOTOS / "chelsea.png", PHOTOS / "astronaut.png"])
    page.get_by_role("button", name="Check").click()
    page.locator("#status", has_text="3 / 3").wait_for(timeout=PATIENCE_MS)
    keep("refused")
    for name in ("queue", "docs"):
        page.goto(f"/{name}")
        keep(name)
    context.close()


def main(folder: Path, url: str) -> None:
    """Every page, light and dark, on a desk and on a phone."""
    folder.mkdir(parents=True, exist_ok=True)
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for scheme in SCHEMES:
            for width in WIDTHS:
                shoot(browser, url, folder, scheme, width)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8000")
