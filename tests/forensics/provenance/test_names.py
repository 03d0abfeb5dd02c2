"""Software by its name: generators with versions and qualifiers, and much that only begins with such a name."""

import time

import pytest

from forensics.provenance.names import generator_named

GENERATORS = {
    "Midjourney": ("midjourney v7", "Midjourney Bot", "Generated with Midjourney", "Midjourney V6 via Discord"),
    "DALL·E": ("DALL·E 3", "dall-e-3", "OpenAI DALL-E"),
    "OpenAI": ("ChatGPT", "GPT-4o", "gpt-image-1.5", "OpenAI-API", "Sora 2"),
    "Adobe Firefly": ("Adobe_Firefly", "Firefly Image 3", "Adobe Firefly Image 4 Ultra"),
    "Stable Diffusion": ("stable_diffusion", "SDXL 1.0", "Stable Diffusion XL by Stability AI"),
    "stable-diffusion.cpp": ("stable-diffusion.cpp", "sd.cpp master-1a2b3c4"),
    "FLUX": ("FLUX", "flux-dev", "flux-pro-1.1", "black-forest-labs/FLUX.1-dev", "FLUX1.1 [pro] ultra"),
    "ComfyUI": ("ComfyUI-v0.3", "ComfyUI 0.3.40 (python 3.12)"),
    "Google Gemini": ("gemini-2.5-flash-image-preview", "Nano Banana Pro", "Gemini 3 Pro Image"),
    "Google Imagen": ("imagen-4.0-ultra-generate-001", "Google Imagen 3"),
    "Ideogram": ("ideogram.ai", "Ideogram V_2_TURBO"),
    "Recraft": ("recraftv3", "Recraft V3"),
    "Doubao": ("doubao-seedream-4-0-250828", "豆包AI"),
    "Wan": ("wanx2.1-t2i-turbo",),
}
OTHERS = (
    "Midjourney Street Photo",
    "Midjourney by Smith Photography",
    "Imagenomic Portraiture 4",
    "Fluxus",
    "Flux Capture",
    "Krea Berlin Studio",
    "Luma Camera",
    "Grok Photography",
    "Gemini Photo 3.0",
    "Sora Tanaka",
    "Sora Photography",
    "Dalle Smith",
    "Seedream Photography",
    "NovelAI-free",
    "Not made with Midjourney",
    "Stable Diffusion Metadata Viewer",
    "LeonardoAI Upscaler",
    "Leonardo",
    "Aurora HDR 2019",
    "Pixel Studio Camera",
)


@pytest.mark.parametrize(("generator", "text"), [(name, text) for name, texts in GENERATORS.items() for text in texts])
def test_a_name_with_version_and_qualifiers_is_the_generators(generator: str, text: str) -> None:
    assert generator_named(text) == generator


@pytest.mark.parametrize("text", OTHERS)
def test_what_only_begins_with_a_name_is_other_software(text: str) -> None:
    assert generator_named(text) is None


@pytest.mark.parametrize("tail", ["1" * 190, "-1.1" * 45, " v1.1" * 38, " ai" * 60, "._-" * 60, "(" * 180])
def test_no_text_takes_long(tail: str) -> None:
    started = time.perf_counter()
    for name in ("grok", "midjourney", "flux 1", "gemini"):
        generator_named(f"{name}{tail}!")
    assert time.perf_counter() - started < 0.5
