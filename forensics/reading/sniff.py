"""What a file really is, from its first bytes; names and content types of strangers are not believed."""

from forensics.errors import DecodeFailedError, NotAnImageError
from forensics.reading import jxl
from forensics.reading.unread import HEAD, unread_kind

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1"}
_AVIF_BRANDS = {b"avif", b"avis"}
# The Pillow plugins that may look at a file of each type; no other plugin ever sees a stranger's bytes.
PLUGINS = {
    # The JPEG plugin opens MPO too; there is no plugin registered by that name.
    "image/jpeg": ("JPEG",),
    "image/png": ("PNG",),
    "image/webp": ("WEBP",),
    "image/gif": ("GIF",),
    "image/bmp": ("BMP",),
    "image/tiff": ("TIFF",),
    "image/avif": ("AVIF",),
    "image/heic": ("HEIF",),
    "image/jxl": ("JXL",),
}
ALLOWED = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC and JPEG XL"


def media_type_of(data: bytes) -> str:
    """The media type by magic bytes; NotAnImageError for anything that is not an allowed image format."""
    found = _media_type(data[:64])
    if found is None:
        kind = unread_kind(data[:HEAD])
        told = (
            f"This is {_article(kind)} {kind} file"
            if kind is not None
            else f"These {len(data)} bytes are not an image in a known format"
        )
        hint = " Install pillow-jxl-plugin to read it." if kind == "JPEG XL" else ""
        raise NotAnImageError(f"{told}; formats that are read: {ALLOWED}.{hint}")
    return found


def _article(kind: str) -> str:
    return "an" if kind[0] in "AEIO" or kind.startswith(("SVG", "MP4", "HTML")) else "a"


def _media_type(head: bytes) -> str | None:
    if head.startswith(b"\xff\xd8\xff") and head[3:4] != b"\xf7":
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if head[:4] in (b"II*\0", b"MM\0*") and head[8:11] != b"CR\x02":
        return "image/tiff"
    if head[:2] == b"BM" and len(head) >= 26:
        return "image/bmp"
    if jxl.readable and jxl.is_jxl(head):
        return "image/jxl"
    return _iso_media(head)


def _iso_media(head: bytes) -> str | None:
    """AVIF or HEIC by the brands of an ISO base media file (ISO/IEC 14496-12, box `ftyp`)."""
    if head[4:8] != b"ftyp":
        return None
    size = int.from_bytes(head[:4], "big")
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, min(size, len(head)) - 3, 4))}
    if brands & _AVIF_BRANDS:
        return "image/avif"
    return "image/heic" if brands & _HEIC_BRANDS else None


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP's canvas from its header alone (RFC 9649); DecodeFailedError where it has none."""
    kind, body = data[12:16], data[20:30]
    if len(body) == 10 and kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if len(body) == 10 and kind == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    if len(body) >= 5 and kind == b"VP8L":
        packed = int.from_bytes(body[1:5], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    raise DecodeFailedError("The image/webp file has no readable header.")
