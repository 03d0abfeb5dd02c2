"""The formats generators write their settings in, recognized by shape: A1111 parameters, ComfyUI graphs, JSON keys."""

import re
from collections.abc import Callable, Mapping

from forensics.provenance.texts import Text

# The generator's name where a text has its shape; None where it has not.
Shape = Callable[[Text], str | None]

FAMILY = "Stable Diffusion WebUI"
UNNAMED = "a diffusion program that does not name itself"
# Two of these beside "Steps" are what the AUTOMATIC1111 family writes; a photographer's note has none.
_SETTINGS = re.compile(
    r"\b(Sampler|CFG scale|Seed|Model hash|Schedule type|Denoising strength|Guidance scale|Guidance): ?[^,\n]{1,200}",
    re.I,
)
_STEPS = re.compile(r"\bSteps: ?\d+")
_DREAM = re.compile(r"\s-[sSWHCA] ?[\w.]+")
# A program that writes A1111's format says so at the end of it.
_FAMILY = (
    (
        re.compile(r"\bVersion: ?f\d|\bVersion: ?[\w.-]{0,20}forge|\bVersion: ?neo\b", re.I),
        "Stable Diffusion WebUI Forge",
    ),
    (re.compile(r"stable-diffusion\.cpp|\bsd\.cpp", re.I), "stable-diffusion.cpp"),
    (re.compile(r"KoboldCpp", re.I), "KoboldCpp"),
    (re.compile(r"\b(Version|App|Software|Backend): ?LocalAI", re.I), "LocalAI"),
    (re.compile(r"\b(App|Version|Software): ?SD\.?Next", re.I), "SD.Next"),
    (re.compile(r"\bVersion: ?Ruined ?Fooocus", re.I), "RuinedFooocus"),
    (re.compile(r"\bVersion: ?Fooocus", re.I), "Fooocus"),
    (
        re.compile(r"\b(Version|App|Software|Generator): ?(krita|AI Image Generation for Krita)", re.I),
        "Krita AI Diffusion",
    ),
    (re.compile(r"\b(Version|App|Software): ?InvokeAI", re.I), "InvokeAI"),
    (re.compile(r"\b(Version|App|Software): ?ComfyUI", re.I), "ComfyUI"),
    (re.compile(r"\b(Version|App|Software): ?Draw Things", re.I), "Draw Things"),
    (re.compile(r"\b(Version|App|Software): ?MFLUX", re.I), "MFLUX"),
    (re.compile(r"\b(Version|App|Software): ?Easy ?Diffusion", re.I), "Easy Diffusion"),
    (re.compile(r"\bCivitai (resources|metadata): ?[\[{]", re.I), "Civitai (Stable Diffusion)"),
)
# Written where only a masked part of an image that was there before is made anew.
_MASKED = re.compile(r"(^|[,\n] ?)(Mask blur|Masked content|Inpaint area): ?", re.I)
_SAMPLES = re.compile(
    r"sampl|generat|text.?(2|to).?(image|img)|dall|gpt|imagen|ideogram|recraft|flux|stability|luma|kling|gemini|nano|"
    r"seedream|hunyuan|qwen|wan|diffus",
    re.I,
)
MOST_NODES = 5000


def parameters(text: Text) -> str | None:
    """The settings line of the AUTOMATIC1111 family."""
    value = text.value
    if not _STEPS.search(value) or len({name.lower() for name in _SETTINGS.findall(value)}) < 2:
        return None
    return next((name for pattern, name in _FAMILY if pattern.search(value)), FAMILY)


def fills_a_part(text: Text) -> bool:
    """Whether the settings are of an inpainted part."""
    return bool(_MASKED.search(text.value))


def comfy_graph(text: Text) -> str | None:
    """ComfyUI's API format (nodes with a class_type) or its editor format (a list of nodes with links)."""
    return "ComfyUI" if _node_kinds(text.content) is not None else None


def only_processes(text: Text) -> bool:
    """Whether a ComfyUI graph loads an image and has no node that could generate one: it upscales or converts."""
    kinds = _node_kinds(text.content) or []
    return any("LoadImage" in kind for kind in kinds) and not any(_SAMPLES.search(kind) for kind in kinds)


def _node_kinds(content: Mapping[str, object]) -> list[str] | None:
    """The kinds of a graph's nodes; None where it is no graph."""
    nodes = content.get("nodes")
    if isinstance(nodes, list) and "links" in content:
        return [str(node.get("type")) for node in nodes[:MOST_NODES] if isinstance(node, dict)]
    kinds = [str(node["class_type"]) for node in content.values() if isinstance(node, dict) and "class_type" in node]
    return kinds or None


def dream(text: Text) -> str | None:
    """InvokeAI's first format: the command line."""
    return "InvokeAI" if len(_DREAM.findall(text.value)) >= 2 else None


def is_json(text: Text) -> str | None:
    """Any JSON object, under a key that only one program uses."""
    return "" if text.content else None


def anything(text: Text) -> str | None:
    """Any text, under a key that only one program uses."""
    return "" if text.value else None


def keys(*names: str, least: int = 0) -> Shape:
    """A JSON object with at least `least` of the keys (all where 0)."""
    wanted, needed = set(names), least or len(names)

    def shape(text: Text) -> str | None:
        return "" if len(wanted & set(text.content)) >= needed else None

    return shape


def pattern(expression: str) -> Shape:
    """A text that the expression matches from its start."""
    compiled = re.compile(expression, re.I | re.S)

    def shape(text: Text) -> str | None:
        return "" if compiled.match(text.value) else None

    return shape


def finds(expression: str) -> Shape:
    """A text that the expression is found in."""
    compiled = re.compile(expression, re.I)

    def shape(text: Text) -> str | None:
        return "" if compiled.search(text.value) else None

    return shape
