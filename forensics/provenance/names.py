"""Generators by the names they give themselves as software."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Name:
    """A generator and the names that it goes by, as one expression."""

    generator: str
    expression: str


# A name may be followed by versions, by these words, by a bracket and by the place it ran in; by nothing else, for
# much software and many studios begin with the name of a generator.
_QUALIFIER = re.compile(
    r"ai|image|images|img|gen|generate|generator|generation|creator|text|to|text2image|txt2img|t2i|img2img|i2i|"
    r"model|bot|app|web|webui|ui|api|beta|alpha|preview|exp|experimental|latest|release|build|nightly|turbo|"
    r"lightning|flash|lite|fast|pro|ultra|max|plus|hd|xl|base|core|large|medium|small|dev|schnell|kontext|fill|"
    r"redux|klein|flex|krea|edit|editing|quality|standard|imagine|niji|raw|forge|automatic1111|a1111|vladmandic|"
    r"next|diffusion|inpainting|refiner|phoenix|photon|banana|version|ver|v|master|main"
    r"|(?:v|ver)?\d[\w+]{0,40}|g?[0-9a-f]{7,40}",
    re.I,
)
_SEPARATORS = re.compile(r"[\s/_·:,;.@|–-]+")
_MAKERS = (
    r"openai|xai|x\.ai|google|stability|black forest|bytedance|adobe|midjourney|microsoft|meta|alibaba|tencent|kling"
)
_BRACKET_OR_PLACE = re.compile(rf"\s?[(\[]|\s(?:via|on|through)\s|\sby\s(?:{_MAKERS})\b", re.I)
_BEFORE = r"(?:(?:image )?(?:generated|created|made|produced) (?:with|by|using|in) |🤗 ?)?"
# What works only on or with images that are there already.
_TOOLS = re.compile(
    r"(?<!pre)(?<!cog)view|read|remov|organi[sz]|manag|tagg|upscal|enhanc|denois|sharpen|restor|colou?ri[sz]|convert|download|detect|"
    r"camera|studio photo|gallery|brows|inspect|metadata|resiz|compress",
    re.I,
)
# In order: the first expression that fits the whole text names the generator.
NAMES: tuple[Name, ...] = (
    Name("Midjourney", r"midjourney(\.com|, inc\.?)?|niji[- ]?journey"),
    Name("DALL·E", r"(openai )?dall[-·•. ]?e"),
    Name("OpenAI", r"openai|chatgpt|gpt-?4o|gpt-?image(-\d(\.\d)?)?|sora( turbo)?"),
    Name("Adobe Firefly", r"adobe[ _]firefly|firefly( image( model)?)?"),
    Name("stable-diffusion.cpp", r"stable-diffusion\.cpp|sd\.cpp"),
    Name("Stable Diffusion", r"stable[-_ ]?diffusion|sdxl|sd[- ]?(1\.[45]|2\.1|3(\.5)?|xl)"),
    Name("Stability AI", r"stability[. ]?ai|dreamstudio|stable ?image (core|ultra)"),
    Name("FLUX", r"(black[- ]forest[- ]labs[/ ])?((?-i:FLUX)|flux[.\s]?[12](\.\d)?|flux[- ](dev|schnell|pro|kontext))"
                 r"|black[- ]forest[- ]labs"),
    Name("ComfyUI", r"comfy[- ]?ui"),
    Name("InvokeAI", r"invoke[- ]?ai"),
    Name("NovelAI", r"novel ?ai"),
    Name("Fooocus", r"fooocus(-mre)?"),
    Name("RuinedFooocus", r"ruined ?fooocus"),
    Name("Draw Things", r"draw ?things"),
    Name("SwarmUI", r"(stable)?swarm ?ui"),
    Name("Easy Diffusion", r"easy ?diffusion"),
    Name("MFLUX", r"mflux"),
    Name("SD.Next", r"sd[. ]?next"),
    Name("Stable Diffusion WebUI Forge", r"(re)?forge (webui|neo|classic)"),
    Name("KoboldCpp", r"kobold ?cpp"),
    Name("LocalAI", r"local ?ai"),
    Name("DiffusionBee", r"diffusion ?bee"),
    Name("Mochi Diffusion", r"mochi ?diffusion"),
    Name("Krita AI Diffusion", r"krita[- ]ai([- ]diffusion)?|ai image generation for krita"),
    Name("diffusers", r"(hugging ?face )?diffusers"),
    Name("Ideogram", r"ideogram([. ]ai)?"),
    Name("Leonardo.Ai", r"leonardo[. ]?ai"),
    Name("Krea", r"krea([. ]ai)?"),
    Name("Recraft", r"recraft([. ]ai)?"),
    Name("Reve", r"reve([. ](ai|image|art|com))?"),
    Name("Luma", r"luma( ?ai|[ -]?labs(\.ai)?|[ -]photon| dream machine)"),
    Name("Grok", r"(xai )?grok|x\.ai|xai|aurora by xai"),
    Name("Google Imagen", r"google imagen|imagen[- ]?[234]|imagegeneration@\d{3}"),
    Name("Google Gemini", r"(google )?gemini|nano[- ]banana"),
    Name("Google AI", r"google (generative )?ai( studio)?|(google )?vertex ai|pixel studio|imagefx|whisk"),
    Name("Apple Image Playground", r"(apple )?image playground|genmoji"),
    Name("Meta AI", r"meta ai|imagined? with (meta )?ai"),
    Name("Bing Image Creator", r"(microsoft )?(bing )?image creator( from (microsoft )?(bing|designer))?"
                               r"|bing image creator|microsoft copilot( designer)?"),
    Name("Microsoft MAI-Image", r"mai-image"),
    Name("Qwen-Image", r"qwen([-_ ]?image)?|tongyi[- ]?wan.{0,20}|通义(万相|千问).{0,20}"),
    Name("Wan", r"wan ?(ai|x|2\.\d)"),
    Name("Z-Image", r"z-image"),
    Name("Doubao", r"doubao(-seedream)?|豆包.{0,20}"),
    Name("Seedream", r"seedream"),
    Name("Jimeng", r"jimeng|dreamina|即梦.{0,20}"),
    Name("Hunyuan", r"(tencent )?hunyuan[- ]?(image|dit)?|腾讯(混元|元宝).{0,20}|混元.{0,20}"),
    Name("Kling", r"kling( ?ai)?|kolors|可灵.{0,20}|可图.{0,20}"),
    Name("ERNIE", r"文心(一格|一言)|ernie[- ]?(vilg|image)"),
    Name("MiniMax", r"hailuo|minimax|海螺 ?ai"),
    Name("CogView", r"cogview|智谱(清言| ?ai).{0,20}"),
    Name("LiblibAI", r"liblib ?ai"),
    Name("SenseMirage", r"秒画.{0,20}|sensemirage"),
    Name("PixArt", r"pixart-?(sigma|alpha|α|σ|δ)"),
    Name("Playground AI", r"playground ?ai|playground (?=v\d)"),
    Name("NightCafe", r"night ?cafe( studio| creator)?"),
    Name("Craiyon", r"craiyon"),
    Name("Artbreeder", r"artbreeder"),
    Name("Tensor.Art", r"tensor\.art"),
    Name("SeaArt", r"sea ?art[. ]ai|seaart"),
    Name("PixAI", r"pixai(\.art)?"),
    Name("Civitai", r"civitai"),
    Name("Freepik AI", r"freepik (ai|pikaso|mystic)"),
    Name("HiDream", r"hidream(-[ie]1)?"),
    Name("Bria", r"bria[. ]?ai"),
    Name("Lexica", r"lexica( aperture)?"),
    Name("Canva Magic Media", r"canva magic media|canva ai image generator"),
    Name("Picsart AI", r"picsart ai image generator"),
    Name("Amazon", r"amazon (titan image generator|nova canvas)"),
    Name("Runway", r"runway gen"),
    Name("WOMBO Dream", r"(dream by wombo|wombo dream)"),
    Name("StarryAI", r"starry ?ai"),
    Name("Deep Dream Generator", r"deep dream generator"),
    Name("DeepAI", r"deepai"),
    Name("Getty Images Generative AI", r"(generative ai by getty images|getty images generative ai)"),
    Name("Shutterstock AI", r"shutterstock ai( image)?"),
    Name("Pollinations", r"pollinations([. ]ai)?"),
)  # fmt: skip
_COMPILED = [(name.generator, re.compile(rf"{_BEFORE}(?:{name.expression})(?=[\W\d_]|v\d|$)", re.I)) for name in NAMES]
LONGEST_NAME = 200


def generator_named(text: str) -> str | None:
    """The generator that a text is the name of, with or without a version; None for everything else.

    A name inside a sentence, and software that views, upscales or denoises, is none.
    """
    line = " ".join(text[:LONGEST_NAME].split())
    if not line or _TOOLS.search(line):
        return None
    return next(
        (name for name, one in _COMPILED if (found := one.match(line)) and _only_tells(line[found.end() :])), None
    )


def _only_tells(rest: str) -> bool:
    """Whether what follows a name says no more than which version of it ran, and where."""
    end = _BRACKET_OR_PLACE.search(rest)
    words = _SEPARATORS.split(rest[: end.start()] if end else rest)
    return all(not word or _QUALIFIER.fullmatch(word) for word in words)
