"""Kinds of files that are known and not read, so that a refusal can name them."""

# Camera raw files begin like TIFF; these carry marks of their own (a kind, the mark, where it stands).
_MARKS: tuple[tuple[str, bytes, int], ...] = (
    ("BigTIFF", b"II+\0", 0),
    ("BigTIFF", b"MM\0+", 0),
    ("Canon CR2 raw", b"CR\x02", 8),
    ("Canon CR3 raw", b"ftypcrx ", 4),
    ("Canon CRW raw", b"HEAPCCDR", 6),
    ("Fujifilm RAF raw", b"FUJIFILMCCD-RAW", 0),
    ("Olympus ORF raw", b"IIRO", 0),
    ("Olympus ORF raw", b"IIRS", 0),
    ("Panasonic RW2 raw", b"IIU\0", 0),
    ("Sigma X3F raw", b"FOVb", 0),
    ("Minolta MRW raw", b"\0MRM", 0),
    ("JPEG XL", b"\xff\x0a", 0),
    ("JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n", 0),
    ("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n", 0),
    ("JPEG 2000", b"\xff\x4f\xff\x51", 0),
    ("JPEG XR", b"II\xbc", 0),
    ("JPEG-LS", b"\xff\xd8\xff\xf7", 0),
    ("Photoshop", b"8BPS", 0),
    ("GIMP XCF", b"gimp xcf", 0),
    ("OpenEXR", b"v/1\x01", 0),
    ("Radiance HDR", b"#?RADIANCE", 0),
    ("Radiance HDR", b"#?RGBE", 0),
    ("PDF", b"%PDF-", 0),
    ("PostScript", b"%!PS", 0),
    ("Windows icon", b"\0\0\1\0", 0),
    ("Windows cursor", b"\0\0\2\0", 0),
    ("Apple icon", b"icns", 0),
    ("DirectDraw surface", b"DDS ", 0),
    ("QOI", b"qoif", 0),
    ("FLIF", b"FLIF", 0),
    ("BPG", b"BPG\xfb", 0),
    ("DjVu", b"AT&TFORM", 0),
    ("FITS", b"SIMPLE  =", 0),
    ("DICOM", b"DICM", 128),
    ("Windows metafile", b"\xd7\xcd\xc6\x9a", 0),
    ("Portable anymap", b"P1\n", 0),
    ("Portable anymap", b"P2\n", 0),
    ("Portable anymap", b"P3\n", 0),
    ("Portable anymap", b"P4\n", 0),
    ("Portable anymap", b"P5\n", 0),
    ("Portable anymap", b"P6\n", 0),
    ("Portable anymap", b"P7\n", 0),
    ("Portable float map", b"PF\n", 0),
    ("ZIP archive", b"PK\x03\x04", 0),
    ("gzip archive", b"\x1f\x8b\x08", 0),
    ("Matroska or WebM video", b"\x1aE\xdf\xa3", 0),
    ("AVI video", b"AVI LIST", 8),
)
_VIDEO_BRANDS = {b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"M4V ", b"qt  ", b"3gp4", b"3gp5", b"3g2a"}
HEAD = 256


def unread_kind(data: bytes) -> str | None:
    """What a file that is not read is, by its first bytes; None where nobody knows."""
    for kind, mark, at in _MARKS:
        if data[at : at + len(mark)] == mark:
            return kind
    if data[4:8] == b"ftyp":
        return "MP4 or QuickTime video" if data[8:12] in _VIDEO_BRANDS else "ISO media"
    return _text_kind(data[:HEAD])


def _text_kind(head: bytes) -> str | None:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "HTML"
    if text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in text):
        return "SVG"
    return None
