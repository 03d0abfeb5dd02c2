"""Each generator's own metadata is found; photographers' and editors' is not mistaken for it."""

import json

import piexif
import pytest

from forensics.provenance.generators import read_generators
from forensics.provenance.texts import texts_of
from forensics.types import Claim
from tests.forensics.provenance.files import png, sample, saved, unicode_comment, with_exif

A1111 = (
    "a cat, masterpiece\nNegative prompt: dog\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 512x512, Model hash: abcdef"
)
COMFY = json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 1}}})
COMFY_WORKFLOW = json.dumps({"nodes": [{"id": 1}], "links": []})
NOVELAI = json.dumps({"prompt": "x", "steps": 28, "sampler": "k_euler", "seed": 1, "scale": 5.0, "uc": "y"})
FOOOCUS = json.dumps({"prompt": "x", "negative_prompt": "", "base_model": "juggernaut", "performance": "Speed"})
SWARM = json.dumps({"sui_image_params": {"prompt": "x", "seed": 1}})

CASES = {
    "AUTOMATIC1111": (png({"parameters": A1111}), "Stable Diffusion WebUI"),
    "AUTOMATIC1111 compressed": (png({"parameters": A1111}, compressed=True), "Stable Diffusion WebUI"),
    "Forge": (png({"parameters": A1111 + ", Version: f2.0.1v1.10.1"}), "Stable Diffusion WebUI Forge"),
    "ComfyUI prompt": (png({"prompt": COMFY}), "ComfyUI"),
    "ComfyUI workflow": (png({"workflow": COMFY_WORKFLOW}), "ComfyUI"),
    "InvokeAI": (png({"invokeai_metadata": json.dumps({"seed": 1})}), "InvokeAI"),
    "InvokeAI 2": (png({"sd-metadata": json.dumps({"model": "sd"})}), "InvokeAI"),
    "InvokeAI 1": (png({"Dream": '"a cat" -s 50 -S 42 -W 512 -H 512 -C 7.5 -A k_lms'}), "InvokeAI"),
    "NovelAI": (png({"Software": "NovelAI"}), "NovelAI"),
    "NovelAI comment": (png({"Comment": NOVELAI}), "NovelAI"),
    "Fooocus": (png({"Comment": FOOOCUS}), "Fooocus"),
    "SwarmUI": (png({"parameters": SWARM}), "SwarmUI"),
    "UserComment JPEG": (with_exif("JPEG", comment=unicode_comment(A1111)), "Stable Diffusion WebUI"),
    "UserComment WebP": (with_exif("WEBP", comment=b"ASCII\0\0\0" + A1111.encode()), "Stable Diffusion WebUI"),
    "ComfyUI WebP": (with_exif("WEBP", {piexif.ImageIFD.Make: b"workflow:" + COMFY_WORKFLOW.encode()}), "ComfyUI"),
    "Ideogram": (with_exif("JPEG", {piexif.ImageIFD.Make: b"Ideogram AI"}), "Ideogram"),
    "Firefly": (with_exif("JPEG", {piexif.ImageIFD.Software: b"Adobe Firefly 3"}), "Adobe Firefly"),
    "Grok": (
        with_exif(
            "JPEG",
            {
                piexif.ImageIFD.Artist: b"7c0f6f0e-3a0b-4e0c-9f5a-0d8a5c3b2e11",
                piexif.ImageIFD.ImageDescription: b"Signature: abcdef",
            },
        ),
        "Grok",
    ),
}

INNOCENT = {
    "no metadata": saved("JPEG"),
    "Photoshop": with_exif("JPEG", {piexif.ImageIFD.Software: b"Adobe Photoshop 25.0 (Windows)"}),
    "Lightroom": with_exif("JPEG", {piexif.ImageIFD.Software: b"Adobe Lightroom 7.0"}),
    "GIMP": png({"Comment": "Created with GIMP", "Software": "GIMP 2.10"}),
    "a note on steps": png({"Comment": "Steps: 12 up to the shrine. Seed: none."}),
    "a camera's comment": with_exif("JPEG", {piexif.ImageIFD.Make: b"Canon"}, comment=b"ASCII\0\0\0Charge: 80 Sampler"),
    "a prompt that is prose": png({"prompt": "write about your holiday"}),
    "a workflow that is prose": png({"workflow": "scan, crop, print"}),
    "JSON of something else": png({"Comment": json.dumps({"prompt": "x", "iso": 100}), "parameters": "{}"}),
    "an artist with an id": with_exif("JPEG", {piexif.ImageIFD.Artist: b"7c0f6f0e-3a0b-4e0c-9f5a-0d8a5c3b2e11"}),
    "a graph of something else": png({"Comment": json.dumps({"nodes": [{"id": 1, "type": "Person"}], "links": []})}),
    "another program's modes": png({"Comment": json.dumps({"app_version": "1", "generation_mode": "auto"})}),
    "another program's options": png({"Comment": "my --c option and --s flag, see --help"}),
    "a commit": png({"Description": "git commit --no-edit --quiet --verbose"}),
    "a dream": png({"Dream": "I had a dream -s"}),
}


def read(data: bytes, hidden: str | None = None) -> tuple[Claim, ...]:
    found = sample(data)
    return read_generators(texts_of(found.metadata, found.media_type, hidden))


@pytest.mark.parametrize("name", CASES)
def test_a_generators_metadata_is_found(name: str) -> None:
    data, generator = CASES[name]
    (claim,) = read(data)
    assert (claim.generator, claim.says_ai, claim.decisive) == (generator, True, True)
    assert "unsigned" in claim.statement


def test_one_generator_in_several_places_is_one_claim() -> None:
    (claim,) = read(png({"prompt": COMFY, "workflow": COMFY_WORKFLOW}))
    assert claim.carrier == "PNG text 'prompt', PNG text 'workflow'"


@pytest.mark.parametrize("name", INNOCENT)
def test_other_metadata_is_not_mistaken_for_a_generators(name: str) -> None:
    assert read(INNOCENT[name]) == ()


@pytest.mark.parametrize("text", [A1111, json.dumps({"Software": "NovelAI"}), json.dumps({"Comment": NOVELAI})])
def test_hidden_text_of_a_generator_is_found(text: str) -> None:
    (claim,) = read(saved("PNG"), text)
    assert "lowest bits" in claim.carrier


def test_a_hostile_name_is_cut_and_made_printable() -> None:
    data = with_exif("JPEG", {piexif.ImageIFD.Software: b"Midjourney"}, comment=b"ASCII\0\0\0" + b"\x1b[2J" * 50)
    (claim,) = read(data)
    assert claim.statement.isprintable()
    long = with_exif("JPEG", {piexif.ImageIFD.Software: b"ComfyUI (" + b"\x1b[31m" * 2000})
    (claim,) = read(long)
    assert claim.statement.isprintable()
    assert len(claim.statement) < 300
