"""Metadata that image generators write themselves: prompts, workflows, settings."""

import re
from collections.abc import Iterator, Mapping

from forensics.provenance.text import exif_texts, json_object, quoted
from forensics.types import Claim, Metadata

# Two of these beside "Steps" are what the AUTOMATIC1111 family writes; a photographer's note has none.
_SETTINGS = re.compile(r"\b(Sampler|CFG scale|Seed|Model hash|Schedule type|Denoising strength): ?[^,\n]+")
_STEPS = re.compile(r"\bSteps: ?\d+")
_DREAM = re.compile(r"\s-[sSWHCA] ?[\w.]+")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_SOFTWARE = re.compile(
    r"^(NovelAI|Midjourney|DALL[-·]?E\b.*|Adobe Firefly\b.*|Stable Diffusion\b.*|ComfyUI\b.*|InvokeAI\b.*|Ideogram\b.*"
    r"|Fooocus\b.*|Draw Things\b.*|Leonardo\.?AI\b.*|SwarmUI\b.*)$",
    re.I,
)
_FOOOCUS_KEYS = {
    "prompt",
    "negative_prompt",
    "base_model",
    "performance",
    "styles",
    "guidance_scale",
    "fooocus_v2_expansion",
}
_NOVELAI_KEYS = {"prompt", "steps", "sampler", "seed", "scale", "uc", "strength", "noise", "request_type"}


def read_generators(metadata: Metadata, stealth: str | None = None) -> tuple[Claim, ...]:
    """A claim for each generator whose own metadata is found; `stealth` is text hidden in the alpha channel."""
    found: dict[str, list[str]] = {}
    for generator, carrier in (*_in_texts(metadata.text), *_in_exif(exif_texts(metadata)), *_in_stealth(stealth)):
        carriers = found.setdefault(generator, [])
        if carrier not in carriers:
            carriers.append(carrier)
    return tuple(_claim(generator, ", ".join(carriers)) for generator, carriers in found.items())


def _in_texts(text: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for keyword, value in text.items():
        if generator := _by_keyword(keyword.strip().lower(), value):
            yield generator, f"PNG text {quoted(keyword)!r}" if keyword != "Comment" else "comment"


def _by_keyword(keyword: str, value: str) -> str | None:
    if keyword == "parameters":
        return _parameters(value)
    if keyword in ("prompt", "workflow"):
        return "ComfyUI" if _is_comfy(value) else None
    if keyword in ("invokeai_metadata", "sd-metadata", "invokeai_graph"):
        return "InvokeAI" if json_object(value) else None
    if keyword == "dream":
        return "InvokeAI" if len(_DREAM.findall(value)) >= 2 else None
    if keyword == "fooocus_scheme":
        return "Fooocus"
    if keyword == "software":
        return _software(value)
    return _comment(value) if keyword in ("comment", "description") else None


def _parameters(value: str) -> str | None:
    content = json_object(value)
    if "sui_image_params" in content:
        return "SwarmUI"
    if len(_FOOOCUS_KEYS & set(content)) >= 3:
        return "Fooocus"
    if not _is_parameters(value):
        return None
    return "Stable Diffusion WebUI Forge" if re.search(r"\bVersion: ?f\d", value) else "Stable Diffusion WebUI"


def _is_parameters(value: str) -> bool:
    return bool(_STEPS.search(value)) and len(set(_SETTINGS.findall(value))) >= 2


def _is_comfy(value: str) -> bool:
    """ComfyUI's API format (nodes with a class_type) or its editor format (a list of nodes with links)."""
    content = json_object(value)
    if isinstance(content.get("nodes"), list) and "links" in content:
        return True
    return any(isinstance(node, dict) and "class_type" in node for node in content.values())


def _comment(value: str) -> str | None:
    content = json_object(value)
    if len(_FOOOCUS_KEYS & set(content)) >= 3:
        return "Fooocus"
    if len(_NOVELAI_KEYS & set(content)) >= 5:
        return "NovelAI"
    return _parameters(value)


def _software(value: str) -> str | None:
    found = _SOFTWARE.match(value.strip())
    return quoted(found.group(1)) if found else None


def _in_exif(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in ("UserComment", "ImageDescription", "XPComment"):
        if generator := _comment(texts.get(name, "")):
            yield generator, f"EXIF {name}"
    # ComfyUI writes its graph to WebP as "workflow:{...}" and "prompt:{...}" in Make and Model.
    for name, value in texts.items():
        key, _, body = value.partition(":")
        if key in ("prompt", "workflow") and _is_comfy(body):
            yield "ComfyUI", f"EXIF {name}"
    if generator := _software(texts.get("Software", "")):
        yield generator, "EXIF Software"
    if texts.get("Make", "").strip() == "Ideogram AI":
        yield "Ideogram", "EXIF Make"
    if _UUID.fullmatch(texts.get("Artist", "").strip()) and texts.get("ImageDescription", "").startswith("Signature: "):
        yield "Grok", "EXIF Artist and ImageDescription"


def _in_stealth(stealth: str | None) -> Iterator[tuple[str, str]]:
    if stealth is None:
        return
    content = json_object(stealth)
    inner = content.get("Comment")
    if content.get("Software") == "NovelAI" or (isinstance(inner, str) and _comment(inner) == "NovelAI"):
        yield "NovelAI", "lowest bits of the alpha channel"
    elif generator := _parameters(stealth):
        yield generator, "lowest bits of the alpha channel"


def _claim(generator: str, carrier: str) -> Claim:
    return Claim(
        carrier=carrier,
        says_ai=True,
        decisive=True,
        statement=f"The file itself declares that {generator} generated it ({carrier}, unsigned).",
        generator=generator,
    )
