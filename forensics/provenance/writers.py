"""The one table of what image generators write: carrier, key, shape, generator, and where that is known from."""

import re
from dataclasses import dataclass

from forensics.provenance import shapes
from forensics.provenance.shapes import Shape
from forensics.provenance.texts import Carrier, Text

ANY: tuple[Carrier, ...] = ("text", "comment", "EXIF", "XMP", "IPTC", "hidden")
_FREE = r"parameters|comment|description|caption|imagedescription|usercomment|xpcomment|xptitle|title|subject"


@dataclass(frozen=True, slots=True)
class Writer:
    """One row: a text of one of the carriers whose key matches whole and whose value has the shape.

    `generator` is empty where the shape itself tells it. `beside` is a (key, shape) that another text of the same
    carrier must have too.
    """

    carriers: tuple[Carrier, ...]
    key: str
    shape: Shape
    generator: str
    source: str
    beside: tuple[str, Shape] | None = None

    def generator_of(self, text: Text) -> str | None:
        """The generator that wrote the text by this row; None where it does not match."""
        if text.carrier not in self.carriers or not re.fullmatch(self.key, text.key, re.I):
            return None
        told = self.shape(text)
        return None if told is None else told or self.generator


_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_DRAW_THINGS = shapes.keys("c", "model", "sampler", "scale", "seed", "steps", "uc", "size", "strength", least=6)
_NOVELAI = shapes.keys(
    "prompt", "steps", "sampler", "seed", "scale", "uc", "strength", "noise", "request_type", least=5
)
_FOOOCUS = shapes.keys(
    "prompt",
    "negative_prompt",
    "base_model",
    "performance",
    "styles",
    "guidance_scale",
    "fooocus_v2_expansion",
    least=3,
)
_EASY = shapes.keys("use_stable_diffusion_model", "seed")
_EASY_LABELS = shapes.keys("Seed", "Stable Diffusion model", "Sampler", "Guidance Scale", "Prompt", least=3)
_UNNAMED = shapes.keys(
    "seed", "steps", "num_inference_steps", "sampler", "sampler_name", "scheduler", "guidance_scale", "cfg_scale",
    "cfg", "negative_prompt", "negativePrompt", "cfgScale", least=3,
)  # fmt: skip
# Two flags with the values they take: other programs' options are letters, too.
_MIDJOURNEY_FLAGS = (
    r"(\s--((ar|aspect) \d+:\d+|(v|version|niji|stylize|s|chaos|c|quality|q|weird|w|iw|seed|stop|exp) \d[\d.]*|"
    r"(style|p|profile|sref|cref|oref|no) [^-\s]|raw|tile|draft|video)\b[^-]{0,60}){2,}(\s|$)"
)
_INVOKE_MODE = r'"generation_mode"\s*:\s*"\w{0,20}(txt2img|img2img|inpaint|outpaint)"'

# In order: the first row that matches a text names its generator.
WRITERS: tuple[Writer, ...] = (
    # ComfyUI: PNG text, `comf` chunks of animated PNG, EXIF of savers, XMP.
    Writer(ANY, r"prompt|workflow", shapes.comfy_graph, "", "comfyanonymous/ComfyUI nodes.py, comfy_extras"),
    Writer(ANY, _FREE, shapes.comfy_graph_unnamed, "", "savers of ComfyUI's users"),
    # Programs that keep their settings as JSON.
    Writer(ANY, r".*", shapes.keys("mflux_version"), "MFLUX", "filipstrand/mflux utils/generated_image.py"),
    Writer(ANY, r".*", shapes.keys("sui_image_params"), "SwarmUI", "mcmonkeyprojects/SwarmUI T2IParamInput.cs"),
    Writer(ANY, r".*", _DRAW_THINGS, "Draw Things", "drawthingsai/draw-things-community"),
    Writer(ANY, r".*", _EASY, "Easy Diffusion", "easydiffusion/easydiffusion save_utils.py"),
    Writer(ANY, r".*", _EASY_LABELS, "Easy Diffusion", "easydiffusion/easydiffusion save_utils.py"),
    Writer(("text", "EXIF", "XMP"), r"invokeai_(metadata|graph|workflow)|sd-metadata", shapes.is_json, "InvokeAI",
           "invoke-ai/InvokeAI image_files_disk.py"),
    Writer(ANY, r".*", shapes.finds(_INVOKE_MODE), "InvokeAI", "invoke-ai/InvokeAI metadata"),
    Writer(("text",), r"dream", shapes.dream, "", "invoke-ai/InvokeAI 1.x"),
    Writer(ANY, r".*", _NOVELAI, "NovelAI", "NovelAI/novelai-image-metadata"),
    Writer(("hidden",), r"parameters", shapes.finds(r'"Software"\s*:\s*"NovelAI"'), "NovelAI",
           "NovelAI/novelai-image-metadata"),
    Writer(("hidden",), r"parameters", shapes.finds(r'\\"request_type\\"|"Source"\s*:\s*"(NovelAI|Stable Diffusion)'),
           "NovelAI", "NovelAI/novelai-image-metadata"),
    Writer(ANY, r".*", shapes.finds(r'"software"\s*:\s*"RuinedFooocus"'), "RuinedFooocus", "runew0lf/RuinedFooocus"),
    Writer(ANY, r".*", shapes.finds(r'"source_info"\s*:\s*"(dreamina|jimeng)"'), "Jimeng",
           "Dreamina and Jimeng downloads"),
    Writer(ANY, r"parameters|comment|usercomment|description|imagedescription", _FOOOCUS, "Fooocus",
           "lllyasviel/Fooocus modules/meta_parser.py"),
    Writer(("text",), r"fooocus_scheme", shapes.anything, "Fooocus", "lllyasviel/Fooocus modules/meta_parser.py"),
    Writer(("text", "EXIF"), r"generation_data", shapes.keys("prompt", "models", "seed", "baseModel", least=2),
           "Tensor.Art", "tensor.art downloads"),
    # The settings line of the AUTOMATIC1111 family, in any field, hidden bits included.
    Writer(ANY, _FREE, shapes.parameters, "", "AUTOMATIC1111/stable-diffusion-webui modules/images.py and its forks"),
    # Lines of text.
    Writer(ANY, _FREE, shapes.finds(r"\bGenerator: ?Mochi Diffusion"), "Mochi Diffusion",
           "godly-devotion/MochiDiffusion"),
    Writer(ANY, _FREE, shapes.finds(rf"\bJob ID: ?{_UUID}"), "Midjourney", "Midjourney downloads"),
    Writer(ANY, _FREE, shapes.finds(_MIDJOURNEY_FLAGS), "Midjourney", "Midjourney on Discord"),
    Writer(ANY, _FREE, shapes.finds(r"\S\s--(v|version|niji) \d(\.\d)?\s*$"), "Midjourney", "Midjourney on Discord"),
    Writer(("EXIF", "XMP", "text"), r"software|creatortool", shapes.pattern(r"AI generated;.*flux"), "FLUX",
           "black-forest-labs/flux cli.py, flux2 cli.py"),
    Writer(("EXIF", "XMP", "text"), r"make", shapes.pattern(r"Black Forest Labs\s*$"), "FLUX",
           "black-forest-labs/flux cli.py"),
    Writer(("EXIF", "XMP", "text"), r"software|creatortool", shapes.pattern(r"AI generated;"), shapes.UNNAMED,
           "the form of black-forest-labs/flux cli.py"),
    Writer(("EXIF",), r"make", shapes.pattern(r"Ideogram( AI)?\s*$"), "Ideogram", "Ideogram downloads"),
    Writer(("EXIF",), r"imagedescription|usercomment", shapes.pattern(r"Signature: "), "Grok", "xAI downloads",
           beside=(r"artist", shapes.pattern(rf"{_UUID}\s*$"))),
    Writer(("text",), r"title", shapes.pattern(r"AI generated image\s*$"), "NovelAI", "NovelAI/novelai-image-metadata"),
    # JSON of settings under no program's name.
    Writer(ANY, r".*", lambda text: _UNNAMED(text) if _prompts(text) else None, shapes.UNNAMED,
           "parameters of diffusers"),
)  # fmt: skip


def _prompts(text: Text) -> bool:
    """Whether there is a prompt, and a number beside it of the steps or the seed."""
    numbers = (str(text.content.get(key, "")) for key in ("steps", "num_inference_steps", "seed"))
    return any(key in text.content for key in ("prompt", "positive_prompt", "positivePrompt")) and any(
        number.lstrip("-").isdecimal() for number in numbers
    )
