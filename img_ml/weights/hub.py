"""Downloads from the Hugging Face hub, through its own client: cached, resumed, at a pinned revision."""

import os
import shutil
from pathlib import Path

from forensics.errors import WeightsError
from img_ml.weights.adopt import check_safetensors, convert
from img_ml.weights.record import WeightFile, WeightsRecord


def remote_size(record: WeightsRecord, revision: str, token: str | None) -> int | None:
    """Bytes of all files as the hub tells them; None where it cannot be asked."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    total = 0
    for file in record.files:
        for name in filter(None, (file.name, file.or_else)):
            try:
                total += (
                    get_hf_file_metadata(hf_hub_url(record.repository, name, revision=revision), token=token).size or 0
                )
                break
            except EntryNotFoundError:
                continue
            except Exception:  # noqa: BLE001 - the boundary: without an answer the table's figure is told
                return None
    return total


def download(record: WeightsRecord, revision: str, token: str | None, folder: Path) -> str:
    """Fetch the record's files into `folder`; the commit they are of.

    They come through the hub's own cache (HF_HOME), so a broken download goes on where it stopped, and with
    HF_HUB_OFFLINE the cache alone is asked. Raises WeightsError where a file cannot be had.
    """
    commit = revision
    for file in record.files:
        cached = _fetched(record, file, commit, token)
        # The first file pins the commit for the others: a branch may move between two downloads.
        commit = _commit(cached, commit)
        target = folder / file.name
        if cached.name == file.name:
            if target.suffix == ".safetensors":
                check_safetensors(cached)
            link_or_copy(cached, target)
        else:
            convert(cached, target)
    return commit


def link_or_copy(source: Path, target: Path) -> None:
    """The same file under another name where the disk allows it, so that it takes its space once; else a copy."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _fetched(record: WeightsRecord, file: WeightFile, revision: str, token: str | None) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    names = [name for name in (file.name, file.or_else) if name]
    for name in names:
        try:
            return Path(hf_hub_download(record.repository, name, revision=revision, token=token))
        except EntryNotFoundError as error:
            # Not in the cache and nobody to ask, or not in the repository: the other name may be.
            failure: Exception = error
            offline = isinstance(error, LocalEntryNotFoundError)
        except Exception as error:
            raise _cannot(record, name, error) from error
    if offline:
        raise WeightsError(
            f"{names[0]} of {record.name} is not in the Hugging Face cache, and the hub cannot be reached "
            "(HF_HUB_OFFLINE, or no network)."
        ) from failure
    raise WeightsError(f"{record.repository} has no file {names[0]} at {revision}.") from failure


def _cannot(record: WeightsRecord, name: str, error: Exception) -> WeightsError:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    match error:
        case GatedRepoError():
            told = f"its owners give access on request: ask at {record.where}, then set HF_TOKEN"
        case RevisionNotFoundError():
            told = "the repository has no such revision"
        case RepositoryNotFoundError():
            told = "there is no such repository, or HF_TOKEN gives no access to it"
        case _:
            told = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return WeightsError(
        f"{name} of {record.name} could not be downloaded: {told}. The same command goes on from there."
    )


def _commit(cached: Path, revision: str) -> str:
    """The commit in a path of the hub's cache, snapshots/COMMIT/FILE."""
    parts = cached.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else revision
