"""What a file that was given as weights is, where it is none: by its first bytes, in plain words."""

import re
from pathlib import Path

_MOST = 512
# The first bytes of what people save by mistake in place of a checkpoint.
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"\x89HDF", "an HDF5 file, as Keras writes it: convert it to a PyTorch checkpoint first"),
    (b"version https://git-lfs", "a pointer of Git LFS: fetch the file itself with git lfs pull"),
)
# How a checkpoint of PyTorch begins: as a zip archive, or as an older pickle.
_ZIP, _PICKLES = b"PK\x03\x04", (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
# torch names what it does not allow: "Unsupported global: GLOBAL some.module.Class ...".
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


def refusal(path: Path, told: str) -> str:
    """Why the file is no checkpoint that can be read safely, and what to do; `told` is what torch said."""
    with path.open("rb") as file:
        start = file.read(_MOST)
    for beginning, kind in _KINDS:
        if start.startswith(beginning):
            return f"{path} is not a checkpoint but {kind}."
    if start.lstrip()[:1] == b"<":
        return (
            f"{path} is a web page, not a checkpoint: the site asked for something before the download. Open the "
            "address in a browser and save the file itself."
        )
    if not start:
        return f"{path} is empty: download it again."
    found = _GLOBAL.search(told)
    if found:
        return (
            f"{path} is refused: beside tensors it holds a {found[1]}, and reading that could run code. Ask its "
            "authors for a state dict or safetensors, or save one from it in an environment that you can throw away."
        )
    if start.startswith(_ZIP) or start.startswith(_PICKLES):
        return (
            f"{path} is refused: it is damaged, or holds more than tensors, and reading that could run code. Download "
            "it again, or ask its authors for safetensors."
        )
    return f"{path} is refused: it is neither a PyTorch checkpoint nor a safetensors file."
