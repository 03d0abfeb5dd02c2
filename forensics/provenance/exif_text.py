"""Texts of EXIF tags in every encoding met in the wild."""

from typing import Final

import piexif

from forensics.reading.exif_tags import load_exif

LONGEST: Final = 1 << 20
_ZEROTH, _INNER = piexif.ImageIFD, piexif.ExifIFD
_PLAIN = {
    "0th": {
        "Make": _ZEROTH.Make,
        "Model": _ZEROTH.Model,
        "Software": _ZEROTH.Software,
        "ProcessingSoftware": _ZEROTH.ProcessingSoftware,
        "Artist": _ZEROTH.Artist,
        "ImageDescription": _ZEROTH.ImageDescription,
        "DocumentName": _ZEROTH.DocumentName,
        "HostComputer": _ZEROTH.HostComputer,
        "Copyright": _ZEROTH.Copyright,
    },
    "Exif": {"MakerNote": _INNER.MakerNote},
}
_WINDOWS = {
    "XPTitle": _ZEROTH.XPTitle,
    "XPComment": _ZEROTH.XPComment,
    "XPKeywords": _ZEROTH.XPKeywords,
    "XPSubject": _ZEROTH.XPSubject,
    "XPAuthor": _ZEROTH.XPAuthor,
}
_UTF16 = {"big": ("utf-16-be", "utf-16-le"), "little": ("utf-16-le", "utf-16-be")}
_JAPANESE = ("utf-8", "iso2022_jp", "cp932", "euc_jp")


def exif_texts(exif: bytes) -> dict[str, str]:
    """The texts of the tags that generators write to; empty where EXIF is absent or damaged."""
    loaded = load_exif(exif)
    if loaded is None:
        return {}
    order = "little" if exif[:2] == b"II" else "big"
    found = {
        name: _text(_bytes(loaded[directory].get(tag)))
        for directory, tags in _PLAIN.items()
        for name, tag in tags.items()
    }
    found |= {
        # Windows stores them as UTF-16 in byte arrays.
        name: _bytes(loaded["0th"].get(tag)).decode("utf-16-le", "replace").strip("\0 ")
        for name, tag in _WINDOWS.items()
    }
    comment = loaded["Exif"].get(_INNER.UserComment, loaded["0th"].get(_INNER.UserComment))
    found["UserComment"] = user_comment(_bytes(comment), order)
    return {name: text for name, text in found.items() if text}


def user_comment(value: bytes, order: str = "big") -> str:
    """The text of EXIF UserComment: eight bytes naming the character code, then the text (EXIF 2.32, 4.6.5).

    Writers disagree on what UNICODE means, so the bytes themselves decide; `order` is the block's, for the few that
    leave it open.
    """
    code, body = value[:8].upper(), value[8:]
    if code.startswith(b"UNICODE"):
        return _unicode(body, order)
    if code == b"JIS\0\0\0\0\0":
        return _first_readable(body, _JAPANESE)
    if code in (b"ASCII\0\0\0", b"\0" * 8):
        return _text(body, order)
    return _text(value, order)


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value[:LONGEST]
    if isinstance(value, tuple) and all(isinstance(v, int) and 0 <= v < 256 for v in value):
        return bytes(value[:LONGEST])
    return b""


def _text(value: bytes, order: str = "big") -> str:
    """UTF-8 where it is that, UTF-16 where every other byte is zero, else Latin-1."""
    value = value.strip(b"\0 ") if value.count(b"\0") * 4 < len(value) else value
    if b"\0" in value and value.count(b"\0") * 4 >= len(value):
        return _utf16(value, order)
    return _first_readable(value, ("utf-8",))


def _unicode(body: bytes, order: str) -> str:
    body = body[:-1] if len(body) % 2 and body.endswith(b"\0") else body
    if b"\0" not in body.rstrip(b"\0"):
        try:
            return body.decode("utf-8").strip("\0 ")
        except UnicodeDecodeError:
            pass
    return _utf16(body, order)


def _utf16(body: bytes, order: str) -> str:
    """UTF-16 by its byte order mark, else in the order that gives more ASCII, which prompts and settings consist of."""
    for mark, encoding in ((b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le")):
        if body.startswith(mark):
            return body[2:].decode(encoding, "replace").strip("\0 ")
    readings = [body.decode(encoding, "replace") for encoding in _UTF16[order]]
    return max(readings, key=_ascii).strip("\0 \ufffd")


def _ascii(text: str) -> int:
    return sum(character in "\n\r\t" or " " <= character <= "~" for character in text)


def _first_readable(value: bytes, encodings: tuple[str, ...]) -> str:
    for encoding in encodings:
        try:
            text = value.decode(encoding)
        except UnicodeDecodeError:
            continue
        return text.strip("\0 ")
    return value.decode("latin-1").strip("\0 ")
