"""The formats generators write their settings in, recognized by shape: A1111 parameters, ComfyUI graphs, JSON keys."""

import re
from collections.abc import Callable, Mapping

from forensics.provenance.names import generator_named
from forensics.provenance.texts import Text

# The generator's name where a text has its shape; None where it has not.
Shape = Callable[[Text], str | None]

FAMILY = "Stable Diffusion WebUI"
UNNAMED = "a diffusion program that does not name itself"
# Two of these beside "Steps" are what the AUTOMATIC1111 family writes; a photographer's note has none. KoboldCpp parts
# them by bars.
_SETTINGS = re.compile(
    r"\b(Sampler|CFG ?scale|Seed|Model hash|Schedule type|Denoising strength|Guidance scale|Guidance): ?[^,|\n]{1,200}",
    re.I,
)
_STEPS = re.compile(r"\bSteps: ?\d+")
_DREAM = re.compile(r"\s-[sSWHCA] ?[\w.]+")
# A program that writes A1111's format says so at the end of it: by its name in one of these fields, or in its own way.
_PROGRAM = re.compile(r"\b(?:Version|App|Software|Generator|Backend|Creator): ?([^,|\n]{1,100})", re.I)
_FAMILY = (
    (
        re.compile(r"\bVersion: ?f\d|\bVersion: ?[\w.-]{0,20}forge|\bVersion: ?neo\b", re.I),
        "Stable Diffusion WebUI Forge",
    ),
    (re.compile(r"stable-diffusion\.cpp|\bsd\.cpp", re.I), "stable-diffusion.cpp"),
    (re.compile(r"\bFooocus V2 Expansion: ", re.I), "Fooocus"),
    (re.compile(r"\bModel hash: ?unknown, Model: ", re.I), "Krita AI Diffusion"),
    (re.compile(r"\bCivitai (resources|metadata): ?[\[{]", re.I), "Civitai (Stable Diffusion)"),
)
# Written where only a masked part of an image that was there before is made anew.
_MASKED = re.compile(
    r"(^|[,\n] ?)(Mask blur|Masked content|Inpaint area): ?|\"generation_mode\"\s*:\s*\"\w{0,20}(in|out)paint"
    r"|\"request_type\"\s*:\s*\"\w{0,20}Infill|\"masked_image_path\"\s*:\s*\"|\"mask_?(image|blur)\"\s*:\s*[\"\d]",
    re.I,
)
_SAMPLES = re.compile(
    r"sampl|generat|text.?(2|to).?(image|img)|dall|gpt|imagen|ideogram|recraft|flux|stability|luma|kling|gemini|nano|"
    r"seedream|hunyuan|qwen|wan|diffus",
    re.I,
)
_OF_COMFY = re.compile(rf"{_SAMPLES.pattern}|image|latent|checkpoint|clip|vae|unet|lora|conditioning|upscale", re.I)
MOST_NODES, MOST_TAIL = 5000, 20_000


def parameters(text: Text) -> str | None:
    """The settings line of the AUTOMATIC1111 family."""
    value = text.value
    if not _STEPS.search(value) or len({name.lower() for name in _SETTINGS.findall(value)}) < 2:
        return None
    names = (generator_named(program) for program in _PROGRAM.findall(value[-MOST_TAIL:]))
    named = (name for pattern, name in _FAMILY if pattern.search(value))
    return next((name for name in (*names, *named) if name), FAMILY)


def fills_a_part(text: Text) -> bool:
    """Whether the settings are of an inpainted part."""
    return bool(_MASKED.search(text.value))


def comfy_graph(text: Text) -> str | None:
    """ComfyUI's API format (nodes with a class_type) or its editor format (a list of nodes with links)."""
    return "ComfyUI" if _node_kinds(text.content) is not None else None


def comfy_graph_unnamed(text: Text) -> str | None:
    """Such a graph in a field that may hold any: at least one of its nodes is known of ComfyUI."""
    kinds = _node_kinds(text.content)
    return "ComfyUI" if kinds is not None and any(_OF_COMFY.search(kind) for kind in kinds) else None


def only_processes(text: Text) -> bool:
    """Whether a ComfyUI graph loads an image and fills a part of it, or has no node that could generate one."""
    kinds = _node_kinds(text.content) or []
    if not any("LoadImage" in kind for kind in kinds):
        return False
    fills = any("inpaint" in kind.lower() for kind in kinds) and not any("Empty" in kind for kind in kinds)
    return fills or not any(_SAMPLES.search(kind) for kind in kinds)


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
