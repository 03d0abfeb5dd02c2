"""What the analyzer makes of each kind of declaration met in the wild: who is named, and whether a label follows."""

import gzip
import io
import json
import struct

import numpy as np
import piexif
import pillow_heif
import pytest
from PIL import Image

from forensics.analyzers.provenance import analyze
from forensics.types import Claim, Measured
from tests.forensics.provenance.files import late_xmp, picture, png, png_with_late_chunk, sample, saved, with_exif, xmp

SETTINGS = (
    "\nNegative prompt: blurry, cropped\nSteps: 24, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, "
    "Seed: 918273, Size: 256x256, Model hash: 0a1b2c3d4e, Model: housemodel, Version: v1.10.1"
)
ENGLISH, CHINESE, JAPANESE = (f"{prompt}{SETTINGS}" for prompt in ("a quiet harbour", "山谷里的木屋", "静かな港の朝"))
GRAPH = json.dumps({"4": {"class_type": "KSampler", "inputs": {"seed": 3}}})
WORKFLOW = json.dumps({"nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4})
DRAW_THINGS = json.dumps(
    {"c": "x", "model": "m_q8.ckpt", "sampler": "DPM++", "scale": 7, "seed": 1, "steps": 20, "uc": "", "size": "1x1"}
)
EASY = {
    "prompt": "a quiet harbour",
    "seed": "77",
    "use_stable_diffusion_model": "sd-v1-5",
    "sampler_name": "euler_a",
    "num_inference_steps": "25",
    "guidance_scale": "7.5",
}
CPP = ENGLISH.replace("Version: v1.10.1", "RNG: cuda, Version: stable-diffusion.cpp")
MFLUX = json.dumps({"mflux_version": "0.11.0", "model": "schnell", "seed": 4, "steps": 4, "prompt": "x"})
KOBOLD = (
    "Prompt: a quiet harbour, dawn | NegativePrompt: blurry | Steps: 20 | CFGScale: 7 | Guidance: 3.5 | Seed: 42 | "
    "Size: 512x512 | Sampler: euler_a karras | Clip skip: -1 | Model: house.safetensors | Version: KoboldCpp"
)
NOVELAI_SETTINGS = {"prompt": "x", "steps": 28, "sampler": "k_euler", "seed": 1, "scale": 5.0, "uc": "y"}
NOVELAI = json.dumps({"Software": "NovelAI", "Comment": json.dumps(NOVELAI_SETTINGS)})
DREAMINA = json.dumps(
    {
        "aigc_info": {"aigc_label_type": 0, "source_info": "dreamina"},
        "data": {"os": "web", "product": "dreamina", "exportType": "generation"},
    }
)
BOTH = json.dumps({"prompt": json.loads(GRAPH), "workflow": json.loads(WORKFLOW)})
JOB = "a quiet harbour --ar 3:2 --v 6.1 Job ID: 01234567-89ab-4cde-8f01-23456789abcd"
AIGC = {"Label": "1", "ContentProducer": "001191110000000000000000000000", "ProduceID": "a1b2"}
TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
IPTC = 'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
PHOTOSHOP = 'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
CANON: dict[int, object] = {piexif.ImageIFD.Make: b"Canon", piexif.ImageIFD.Model: b"Canon EOS R6"}


def claims(data: bytes) -> tuple[Claim, ...]:
    found = analyze(sample(data))
    assert isinstance(found, Measured)
    return found.claims


def commented(comment: bytes, kind: str = "JPEG") -> bytes:
    return with_exif(kind, comment=comment)


def tagged(**tags: str) -> bytes:
    return with_exif("JPEG", {getattr(piexif.ImageIFD, name): value.encode() for name, value in tags.items()})


def with_tool(tool: str, kind: str = "JPEG") -> bytes:
    return with_packet(xmp(f'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="{tool}"/>'), kind)


def with_property(prefix: str, name: str, value: str, kind: str = "JPEG") -> bytes:
    """XMP with the value as an element of its own."""
    content = f"<{prefix}:{name}>{value}</{prefix}:{name}>"
    return with_packet(xmp(f'xmlns:{prefix}="http://x/">{content}</rdf:Description>'), kind)


def with_packet(packet: bytes, kind: str) -> bytes:
    return late_xmp(packet) if kind == "PNG" else saved(kind, xmp=packet)


def stealthy(text: str, *, compressed: bool, kind: str = "PNG") -> bytes:
    """Text in the lowest bits of red, green and blue, pixel after pixel down the columns, as the published scheme."""
    payload = gzip.compress(text.encode()) if compressed else text.encode()
    magic = b"stealth_rgbcomp" if compressed else b"stealth_rgbinfo"
    bits = np.unpackbits(np.frombuffer(magic + (8 * len(payload)).to_bytes(4, "big") + payload, dtype=np.uint8))
    flat = np.array(picture()).transpose(1, 0, 2).ravel()
    flat[: len(bits)] = flat[: len(bits)] & 0xFE | bits
    image = Image.fromarray(np.ascontiguousarray(flat.reshape(64, 64, 3).transpose(1, 0, 2)))
    target = io.BytesIO()
    image.save(target, kind, lossless=True)
    return target.getvalue()


def with_segment(payload: bytes, marker: int = 0xEB) -> bytes:
    data = saved("JPEG")
    return data[:2] + bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload + data[2:]


def heic(packet: bytes) -> bytes:
    target = io.BytesIO()
    pillow_heif.from_pillow(picture()).save(target, xmp=packet)
    return target.getvalue()


GENERATORS = {
    "UNICODE, big-endian": (commented(b"UNICODE\0" + CHINESE.encode("utf-16-be")), "Stable Diffusion"),
    "UNICODE, little-endian": (commented(b"UNICODE\0" + CHINESE.encode("utf-16-le")), "Stable Diffusion"),
    "UNICODE with a mark": (commented(b"UNICODE\0" + CHINESE.encode("utf-16")), "Stable Diffusion"),
    "UNICODE that is UTF-8": (commented(b"UNICODE\0" + CHINESE.encode()), "Stable Diffusion"),
    "UNICODE in WebP": (commented(b"UNICODE\0" + JAPANESE.encode("utf-16-le"), "WEBP"), "Stable Diffusion"),
    "JIS": (commented(b"JIS\0\0\0\0\0" + JAPANESE.encode("iso2022_jp")), "Stable Diffusion"),
    "JIS that is Shift JIS": (commented(b"JIS\0\0\0\0\0" + JAPANESE.encode("cp932")), "Stable Diffusion"),
    "ASCII that is UTF-8": (commented(b"ASCII\0\0\0" + JAPANESE.encode()), "Stable Diffusion"),
    "no character code": (commented(ENGLISH.encode()), "Stable Diffusion"),
    "undefined character code": (commented(bytes(8) + ENGLISH.encode("utf-16-le")), "Stable Diffusion"),
    "ComfyUI, animated PNG": (png_with_late_chunk(b"comf", b"prompt\0" + GRAPH.encode()), "ComfyUI"),
    "ComfyUI, EXIF of a saver": (
        tagged(Make=f"Workflow:{WORKFLOW}", ImageDescription=f"Prompt:{GRAPH}"), "ComfyUI"),
    "ComfyUI, small letters": (tagged(Model=f"prompt: {GRAPH}"), "ComfyUI"),
    "stealth, RGB": (stealthy(ENGLISH, compressed=False), "Stable Diffusion"),
    "stealth, RGB, compressed": (stealthy(CHINESE, compressed=True), "Stable Diffusion"),
    "stealth, RGB, lossless WebP": (stealthy(ENGLISH, compressed=False, kind="WEBP"), "Stable Diffusion"),
    "Draw Things, tool": (with_tool("Draw Things", "PNG"), "Draw Things"),
    "Draw Things, comment": (with_property("exif", "UserComment", DRAW_THINGS, "PNG"), "Draw Things"),
    "MFLUX, EXIF": (commented(b"ASCII\0\0\0" + MFLUX.encode(), "PNG"), "MFLUX"),
    "MFLUX, tool": (with_tool("MFLUX 0.11.0"), "MFLUX"),
    "sd.cpp, WebP": (with_property("sdcpp", "parameters", CPP, "WEBP"), "stable-diffusion.cpp"),
    "sd.cpp, PNG": (png({"parameters": CPP}), "stable-diffusion.cpp"),
    "sd.cpp, JPEG": (saved("JPEG", comment=b"parameters\0" + CPP.encode()), "stable-diffusion.cpp"),
    "Easy Diffusion": (png(EASY), "Easy Diffusion"),
    "Easy Diffusion, JPEG": (commented(b"UNICODE\0" + json.dumps(EASY).encode("utf-16-be")), "Easy Diffusion"),
    "Midjourney, tool": (with_tool("Midjourney"), "Midjourney"),
    "Midjourney, job": (png({"Description": JOB, "Author": "someone"}), "Midjourney"),
    "Midjourney, job in EXIF": (tagged(ImageDescription=JOB), "Midjourney"),
    "ComfyUI, graph as a comment": (commented(b"UNICODE\0" + GRAPH.encode("utf-16-be")), "ComfyUI"),
    "ComfyUI, both graphs in one": (commented(b"UNICODE\0" + BOTH.encode("utf-16-be")), "ComfyUI"),
    "ComfyUI, hidden": (stealthy(json.dumps({"prompt": GRAPH}), compressed=False), "ComfyUI"),
    "ComfyUI, JPEG comment": (saved("JPEG", comment=WORKFLOW.encode()), "ComfyUI"),
    "NovelAI, WebP": (commented(b"UNICODE\0" + NOVELAI.encode("utf-16-be"), "WEBP"), "NovelAI"),
    "NovelAI, old": (png({"Title": "AI generated image", "Source": "Stable Diffusion 1D44365E"}), "NovelAI"),
    "Dreamina": (commented(b"ASCII\0\0\0" + DREAMINA.encode()), "Jimeng"),
    "Grok, comment": (
        with_exif("JPEG", {piexif.ImageIFD.Artist: b"01234567-89ab-4cde-8f01-23456789abcd"},
                  b"ASCII\0\0\0Signature: q3wdq=="), "Grok"),
    "Midjourney, one flag": (png({"Description": "a quiet harbour --v 6.1"}), "Midjourney"),
    "KoboldCpp": (png({"parameters": KOBOLD}), "KoboldCpp"),
    **{
        f"family, {tail}": (png({"parameters": f"{ENGLISH.rpartition(', Version')[0]}, {tail}"}), generator)
        for tail, generator in {
            "Generator: LocalAI": "LocalAI",
            "App: SD.Next, Version: 8b73cb6": "SD.Next",
            "Version: SwarmUI": "SwarmUI",
            "Version: v2.5.5, Fooocus V2 Expansion: fine": "Fooocus",
            "Version: f2.0.1v1.10.1": "Forge",
        }.items()
    },
    "Krita": (png({"parameters": ENGLISH.replace("hash: 0a1b2c3d4e", "hash: unknown")}), "Krita AI Diffusion"),
    "FLUX": (tagged(Software="AI generated;txt2img;flux", Make="Black Forest Labs"), "FLUX"),
    "FLUX, image to image": (tagged(Software="AI generated;img2img;flux"), "FLUX"),
    "FLUX, maker alone": (tagged(Make="Black Forest Labs"), "FLUX"),
}  # fmt: skip

LABELLED = {
    "bare segment": with_segment(b"AIGC" + json.dumps(AIGC).encode()),
    "ImageDescription": tagged(ImageDescription=json.dumps({"AIGC": AIGC})),
    "UserComment": commented(b"ASCII\0\0\0" + json.dumps({"AIGC": AIGC}).encode()),
    "PNG text": png({"AIGC": json.dumps(AIGC)}),
    "PNG text of a Python program": png({"AIGC": str(AIGC)}),
    "XMP element": with_property("TC260", "AIGC", json.dumps(AIGC)),
    "XMP in AVIF": with_property("TC260", "AIGC", json.dumps(AIGC), "AVIF"),
    "XMP in HEIC": heic(xmp(f'xmlns:TC260="x"><TC260:AIGC>{json.dumps(AIGC)}</TC260:AIGC></rdf:Description>')),
    "segment of JSON": with_segment(json.dumps({"AIGC": AIGC}).encode(), 0xE4),
    "segment after the scan": saved("JPEG")[:-2] + b"\xff\xeb\0\x60AIGC" + json.dumps(AIGC).encode() + b"\xff\xd9",
    "behind the picture": saved("WEBP") + b"AIGC" + json.dumps(AIGC).encode(),
    "PNG text with a prefix": png({"TC260:AIGC": str(AIGC)}),
    "XMP field by field": with_property("TC260", "Label", "1"),
    "GIF comment": saved("GIF", comment=json.dumps({"AIGC": AIGC}).encode()),
}


def credited(line: str, source: str = "") -> bytes:
    kind = f' {IPTC} Iptc4xmpExt:DigitalSourceType="{TYPES}{source}"' if source else ""
    return saved("JPEG", xmp=xmp(f'{PHOTOSHOP} photoshop:Credit="{line}"{kind}/>'))


EDITED = {
    "one fill in Photoshop": saved(
        "JPEG",
        exif=piexif.dump({"0th": CANON | {piexif.ImageIFD.Software: b"Adobe Photoshop 26.0"}}),
        xmp=xmp(f'{IPTC} Iptc4xmpExt:DigitalSourceType="{TYPES}compositeWithTrainedAlgorithmicMedia"/>'),
    ),
    "Clean Up": credited("Apple Photos Clean Up", "compositeWithTrainedAlgorithmicMedia"),
    "Clean Up, credit alone": credited("Apple Photos Clean Up"),
    "Google's editor": credited("Edited with Google AI"),
    "Best Take": credited("Google Photos Best Take"),
    "generative fill": credited("Generative Fill"),
    **{
        f"credit {line}": credited(line)
        for line in (
            "Photoshop Generative Fill", "Samsung Generative edit", "Edited with Apple Intelligence", "AI-edited",
            "Edited with ChatGPT", "Background by Midjourney", "Restyled with Meta AI", "Auto frame", "AI Eraser",
            "Contains AI-generated elements",
        )
    },
    "inpainted by InvokeAI": png({"invokeai_metadata": json.dumps({"generation_mode": "inpaint", "seed": 1})}),
    "infilled by NovelAI": png(
        {"Comment": json.dumps(NOVELAI_SETTINGS | {"request_type": "NativeInfillingRequest"})}),
    "inpainted in ComfyUI": png(
        {"prompt": json.dumps({str(n): {"class_type": kind} for n, kind in enumerate(
            ("LoadImage", "VAEEncodeForInpaint", "KSampler"))})}),
    "system that enhances": with_property("Iptc4xmpExt", "AISystemUsed", "Gigapixel"),
    "Samsung, its type as text": saved("JPEG") + b'{"genAIType" : "3"}SEFT',
}  # fmt: skip

PANTRY = (
    f'xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" {IPTC} Iptc4xmpExt:DigitalSourceType="{TYPES}digitalCapture">'
    "<xmpMM:Pantry><rdf:Bag><rdf:li><rdf:Description>"
    f"<Iptc4xmpExt:DigitalSourceType>{TYPES}trainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType>"
    "</rdf:Description></rdf:li></rdf:Bag></xmpMM:Pantry></rdf:Description>"
)
INNOCENT = {
    "pantry": saved("JPEG", xmp=xmp(PANTRY)),
    **{
        f"software {name}": with_exif("JPEG", CANON | {piexif.ImageIFD.Software: name.encode()})
        for name in (
            "Topaz Photo AI 3.1", "Leonardo da Vinci Photo 2", "DxO PureRAW 4", "ON1 NoNoise AI 2024", "Luminar Neo",
            "Adobe Lightroom Classic 13.0", "Snapseed 2.0", "Real-ESRGAN", "Stable Diffusion Photo Viewer",
        )
    },
    "credit that denies": credited("No AI was used"),
    "credit that says none": credited("None"),
    "credit that mentions": credited("Photo by Jane Doe, lecturer on generative AI"),
    **{
        f"credit {line}": credited(line)
        for line in (
            "Made without Google AI", "Not edited with Google AI", "Photo by Dalle Smith", "Grok Photography",
            "Krea Berlin Studio", "Google AI press office", "Edited with Photoshop", "AI-free", "Made by hand",
        )
    },
    **{
        f"system {denied}": with_property("Iptc4xmpExt", "AISystemUsed", denied)
        for denied in (
            "AI: none", "AI used: no", "AI was not used", "No Midjourney", "Not made with Midjourney", "none used",
            "keine", "aucun", "Human-made", "nothing",
        )
    },
    "prompt that denies": with_property("Iptc4xmpExt", "AIPromptInformation", "no prompt was used"),
    "CapCut's label": commented(b'ASCII\0\0\0{"aigc_info":{"aigc_label_type":0},"data":{"product":"vicut"}}'),
    "upscaler's extras": png({"extras": "Postprocess upscale by: 2, Postprocess upscaler: R-ESRGAN 4x+"}),
    "composite capture": saved(
        "JPEG", xmp=xmp(f'{IPTC} Iptc4xmpExt:DigitalSourceType="{TYPES}computationalCapture"/>')),
}  # fmt: skip


@pytest.mark.parametrize("name", GENERATORS)
def test_what_a_generator_writes_names_it_and_decides(name: str) -> None:
    data, generator = GENERATORS[name]
    deciding = [claim for claim in claims(data) if claim.decisive]
    assert [claim.declares for claim in deciding] == ["ai_created"]
    assert generator in deciding[0].generator
    assert deciding[0].carrier


@pytest.mark.parametrize("name", LABELLED)
def test_a_tc260_label_is_read_wherever_it_stands(name: str) -> None:
    (claim,) = claims(LABELLED[name])
    assert (claim.declares, claim.says_ai, claim.decisive) == ("ai_created", True, True)
    assert "TC260" in claim.carrier + claim.statement


@pytest.mark.parametrize("line", ["Made by Google AI", "Made with Google AI", "Created with Google AI."])
def test_a_credit_of_whole_creation_decides(line: str) -> None:
    (claim,) = claims(credited(line))
    assert (claim.declares, claim.decisive, claim.generator) == ("ai_created", True, "Google AI")


def test_a_prompt_may_begin_with_no() -> None:
    (claim,) = claims(with_property("Iptc4xmpExt", "AIPromptInformation", "no people, an empty street at dawn"))
    assert claim.declares == "ai_created"


@pytest.mark.parametrize("line", ["AI-generated", "Image generated by AI", "Made with artificial intelligence."])
def test_a_credit_of_some_ai_is_shown_and_does_not_decide(line: str) -> None:
    (claim,) = claims(credited(line))
    assert (claim.declares, claim.decisive) == ("ai_possible", False)


@pytest.mark.parametrize(
    ("line", "generator"),
    [("Image by Midjourney", "Midjourney"), ("Image: DALL-E 3", "DALL·E"), ("AI-generated with FLUX.1", "FLUX"),
     ("Imagined with AI", "Meta AI")],
)  # fmt: skip
def test_a_credit_that_names_the_maker_decides(line: str, generator: str) -> None:
    (claim,) = claims(credited(line))
    assert (claim.declares, claim.decisive, claim.generator) == ("ai_created", True, generator)


@pytest.mark.parametrize("name", EDITED)
def test_an_edit_of_a_part_is_shown_and_never_decides(name: str) -> None:
    found = claims(EDITED[name])
    assert "ai_edited" in [claim.declares for claim in found]
    assert not any(claim.decisive or claim.says_ai for claim in found)


@pytest.mark.parametrize("name", INNOCENT)
def test_what_is_said_of_others_or_in_passing_gives_no_label(name: str) -> None:
    assert not any(claim.decisive or claim.says_ai for claim in claims(INNOCENT[name]))


def test_one_odd_tag_beside_a_generators_comment_does_not_hide_it() -> None:
    comment = b"UNICODE\0" + ENGLISH.encode("utf-16-be")
    # The first entry has a type that EXIF does not know; the second leads to the directory of the comment.
    first = struct.pack(">HHHIIHHIII", 2, 0x010E, 77, 4, 2**32 - 1, 0x8769, 4, 1, 38, 0)
    inner = struct.pack(">HHHIII", 1, 0x9286, 7, len(comment), 56, 0)
    (claim,) = claims(saved("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08" + first + inner + comment))
    assert "Stable Diffusion" in claim.generator
