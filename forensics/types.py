"""The vocabulary everything speaks: image sample, how it was read, signal, claim, evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Heatmap = NDArray[np.float32]
Embedding = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Metadata:
    """Metadata as found in the file, uninterpreted; absent parts are empty, never guessed.

    `exif` is the TIFF block without the `Exif\\0\\0` prefix, `xmp` the packet (extended JPEG XMP joined),
    `iptc` the raw IIM block, `icc` the profile, `text` the PNG/GIF/JPEG comment texts by keyword.
    """

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    icc: bytes = b""
    text: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """How much of a file became pixels.

    `missing` in [0, 1) is the share of the picture's rows that the file lacks; they are cut off. `damaged` says that
    the file ends early or breaks off, even where every row is there; `coarse`, that scans which would make a
    progressive JPEG finer are missing. `trailing_bytes` follow the end of the image.
    `frames` counts the frames of an animation, `frame` is the one that became pixels, counted from 1, and
    `frames_judged` says among how many it was chosen. `reduced_by` divides each side of a picture that is too large to
    be decoded in full.
    """

    missing: float = 0.0
    damaged: bool = False
    coarse: bool = False
    trailing_bytes: int = 0
    frames: int = 1
    frame: int = 1
    frames_judged: int = 1
    reduced_by: int = 1


_WHOLE = Reading()


@dataclass(frozen=True, slots=True)
class ImageSample:
    """One decoded image: the bytes as they came and read-only RGB pixels.

    `pixels` is H x W x 3 uint8, upright (EXIF orientation applied), alpha laid on white, values as stored (no colour
    management). `alpha` is H x W uint8 where the file has an alpha channel. `media_type` comes from magic bytes.
    `reading` says how much of the file became pixels.
    """

    data: bytes = field(repr=False)
    sha256: str
    media_type: str
    pixels: Pixels = field(repr=False)
    metadata: Metadata = field(default_factory=Metadata, repr=False)
    alpha: Pixels | None = field(default=None, repr=False)
    reading: Reading = _WHOLE

    @property
    def width(self) -> int:
        """Width in pixels after orientation."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels after orientation."""
        return int(self.pixels.shape[0])


# What a declaration is about: the whole image, a part of it, or the mere possibility of the first.
Declares = Literal["ai_created", "ai_edited", "ai_possible"]
# How a C2PA signature holds, worst first. Only the first two speak of tampering.
SignatureState = Literal[
    "content_mismatch",
    "signature_invalid",
    "malformed",
    "certificate_unfit",
    "certificate_expired",
    "signer_unknown",
    "trusted",
]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a file declares about its own origin; positive evidence only.

    `says_ai` is true where the declaration is that the whole image was, or may have been, made by a machine.
    `decisive` is true where it sets the label by itself: a declaration of whole creation, unsigned as generators write
    it, or under a signature that holds. `declares` is None where it is not about AI, `signature` where there is none.
    """

    carrier: str
    says_ai: bool
    decisive: bool
    statement: str
    generator: str = ""
    declares: Declares | None = None
    signature: SignatureState | None = None


_FAILED = "failed: "


@dataclass(frozen=True, slots=True)
class Measured:
    """A detector's finding: named numbers (NaN where one could not be measured) and one plain sentence.

    `heatmap` is H' x W' float32 in [0, 1], any resolution with the image's aspect ratio; larger means more suspicious.
    Analyzers that draw one when asked (`Registered.heatmap`) leave it out.
    `embedding` (d,) is what a head is trained on, or the members' logits of a detector that learned in folds; others
    give none.
    """

    detector: str
    numbers: Mapping[str, float]
    sentence: str
    heatmap: Heatmap | None = field(default=None, repr=False)
    claims: tuple[Claim, ...] = ()
    embedding: Embedding | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A detector that gave no finding, and why; NaN for the fusion, visible in the verdict."""

    detector: str
    reason: str

    @classmethod
    def broken(cls, detector: str, what: str) -> "Skipped":
        """A detector that failed on this image, and how."""
        return cls(detector, f"{_FAILED}{what}")

    @property
    def failed(self) -> bool:
        """Whether something broke; another try might succeed."""
        return self.reason.startswith(_FAILED)


Signal = Measured | Skipped

# Why an image gets no probability (forensics/judgeable.py).
NotJudgedReason = Literal["too_small", "blank", "noise", "document", "graphic"]


@dataclass(frozen=True, slots=True)
class NotJudged:
    """Why the detectors have no footing on an image: a named reason and one plain sentence."""

    reason: NotJudgedReason
    sentence: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All signals about one image, with what a verdict needs to know of the image itself.

    `not_judged` says why the image gets no probability, whatever was measured; None where it may have one.
    """

    image_sha256: str
    media_type: str
    width: int
    height: int
    signals: tuple[Signal, ...]
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    not_judged: NotJudged | None = None
    reading: Reading = _WHOLE

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every declaration of origin found by any detector."""
        return tuple(c for s in self.signals if isinstance(s, Measured) for c in s.claims)


ErrorCode = Literal[
    "bad_job",
    "blocked_url",
    "fetch_failed",
    "too_large",
    "not_an_image",
    "too_many_pixels",
    "decode_failed",
    "internal",
]
