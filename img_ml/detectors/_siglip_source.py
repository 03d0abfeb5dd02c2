"""Where the SigLIP model lies that somebody names: in a folder of one's own, or among the installed weights."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from forensics.errors import WeightsError
from img_ml.weights.digest import file_sha256
from img_ml.weights.store import installed
from img_ml.weights.table import of

# The files of a SigLIP model, in the order of their names.
FILES = ("config.json", "model.safetensors", "preprocessor_config.json")


@dataclass(frozen=True, slots=True)
class SiglipSource:
    """A folder in the published layout. `digest` tells its files from others; `name` is the record's, or the folder's.

    `record` is whether it is one of the table.
    """

    name: str
    folder: Path
    digest: str
    record: bool


def find_siglip(name: str, weights: Path) -> SiglipSource:
    """The model of that name: a folder, the repository of a record, or a record; installed weights are checked.

    Raises WeightsError with what to do where there is none.
    """
    records = [one for one in of("siglip2") if not one.optional]
    for record in records:
        if name in (record.name, record.repository):
            found = installed(record, weights)
            return SiglipSource(record.name, found.folder, found.digest, record=True)
    folder = Path(name)
    if not folder.is_dir():
        known = ", ".join(record.repository for record in records)
        raise WeightsError(f"There is no SigLIP model {name!r}: name a folder that holds one, or one of {known}.")
    for file in FILES:
        if not (folder / file).is_file():
            raise WeightsError(f"{folder} lacks the file {file}.")
    listed = "".join(f"{file_sha256(folder / file)} {file}\n" for file in FILES)
    return SiglipSource(folder.name, folder, hashlib.sha256(listed.encode()).hexdigest(), record=False)
