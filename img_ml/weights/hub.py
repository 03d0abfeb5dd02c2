"""Downloads from the Hugging Face hub at a pinned revision: resumed after a kill, checked, taken from its cache."""

import errno
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from forensics.errors import WeightsError
from img_ml.weights.adopt import check_safetensors, convert
from img_ml.weights.digest import file_sha256
from img_ml.weights.record import WeightFile, WeightsRecord

PARTIAL = ".partial"
_SHA256_DIGITS = 64
# Commits and checksums become parts of file names; a hub of one's own, or what stands before it, may answer anything.
_PLAIN = re.compile(r"[0-9A-Za-z_-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Remote:
    """A file as the hub answers for it; `etag` is the SHA-256 of large files."""

    name: str
    commit: str
    etag: str
    size: int
    location: str


@dataclass(frozen=True, slots=True)
class _Fetched:
    path: Path
    name: str
    commit: str


def remote_size(record: WeightsRecord, revision: str, token: str | None) -> int | None:
    """Bytes of all files as the hub tells them; None where it cannot be asked."""
    try:
        return sum(_remote(record, file, revision, token).size for file in record.files)
    except Exception:  # noqa: BLE001 - the boundary: without an answer the table's figure is told
        return None


def download(record: WeightsRecord, revision: str, token: str | None, folder: Path) -> str:
    """Fetch the record's files into `folder`; the commit they are of.

    What is in the hub's own cache (HF_HOME) is linked from there. Anything else is downloaded into `.partial/NAME`
    beside the folder, where a later run goes on after a kill. With HF_HUB_OFFLINE, or without a network, the cache
    alone is asked. Raises WeightsError where a file cannot be had or is not what the hub announced.
    """
    commit, partial = revision, folder.parent / PARTIAL / record.name
    for file in record.files:
        fetched = _fetched(record, file, commit, token, partial)
        # The first file pins the commit for the others: a branch may move between two downloads.
        commit, target = fetched.commit, folder / file.name
        if fetched.name != file.name:
            convert(fetched.path, target)
        else:
            if target.suffix == ".safetensors":
                check_safetensors(fetched.path)
            link_or_copy(fetched.path, target)
    shutil.rmtree(partial, ignore_errors=True)
    with suppress(OSError):
        # What was begun of other records stays, to be gone on with.
        partial.parent.rmdir()
    return commit


def link_or_copy(source: Path, target: Path) -> None:
    """The same file under another name where the disk allows it, so that it takes its space once; else a copy."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _fetched(record: WeightsRecord, file: WeightFile, revision: str, token: str | None, partial: Path) -> _Fetched:
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    try:
        remote = _remote(record, file, revision, token)
    except EntryNotFoundError as error:
        raise WeightsError(f"{record.repository} has no file {file.name} at {revision}.") from error
    except HfHubHTTPError as error:
        raise _cannot(record, file.name, error) from error
    except WeightsError:
        raise
    except Exception as error:
        found = _cached(record, file, revision)
        if found is None:
            raise _unreachable(record, file.name, error) from error
        return found
    found = _cached(record, WeightFile(remote.name), remote.commit)
    if found is not None:
        return found
    try:
        path = _downloaded(remote, token, partial)
    except WeightsError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise _cannot(record, remote.name, error) from error
    return _Fetched(path, remote.name, remote.commit)


def _remote(record: WeightsRecord, file: WeightFile, revision: str, token: str | None) -> _Remote:
    """The file under the first of its names that the repository has; raises what the hub's client raises."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    names = [name for name in (file.name, file.or_else) if name]
    for name in names:
        try:
            told = get_hf_file_metadata(hf_hub_url(record.repository, name, revision=revision), token=token)
        except EntryNotFoundError:
            if name == names[-1]:
                raise
            continue
        commit, etag = told.commit_hash or revision, told.etag or ""
        if not (_PLAIN.fullmatch(commit) or commit == revision) or not (_PLAIN.fullmatch(etag) or not etag):
            raise WeightsError(
                f"What {_endpoint()} answers for {name} of {record.name} is not a commit and a checksum: set "
                "HF_ENDPOINT to a hub that can be trusted, or unset it."
            )
        return _Remote(name, commit, etag, told.size or 0, told.location)
    raise AssertionError("every file has a name")


def _cached(record: WeightsRecord, file: WeightFile, revision: str) -> _Fetched | None:
    """The file in the hub's own cache, where it is there."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    for name in filter(None, (file.name, file.or_else)):
        try:
            path = Path(hf_hub_download(record.repository, name, revision=revision, local_files_only=True))
        except LocalEntryNotFoundError:
            continue
        # snapshots/COMMIT/FILE
        return _Fetched(path, name, path.parent.name)
    return None


def _downloaded(remote: _Remote, token: str | None, partial: Path) -> Path:
    """The whole file in `partial`, from where an earlier run stopped; WeightsError where its SHA-256 is wrong."""
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    partial.mkdir(parents=True, exist_ok=True)
    path = partial / f"{remote.commit.replace('/', '-')[:12]}-{remote.etag[:12]}-{remote.name}"
    headers = build_hf_headers(token=token)
    if urlparse(remote.location).netloc != urlparse(_endpoint()).netloc:
        # The hub sends large files to its store with a signed address; the token is none of the store's business.
        headers.pop("authorization", None)
    done = path.stat().st_size if path.is_file() else 0
    if done < remote.size or not path.is_file():
        with path.open("ab") as file:
            http_get(remote.location, file, resume_size=done, headers=headers, expected_size=remote.size)
    if len(remote.etag) == _SHA256_DIGITS and file_sha256(path) != remote.etag:
        path.unlink()
        raise WeightsError(f"{remote.name} does not match what the hub announced and was deleted: pull it again.")
    return path


def _endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _unreachable(record: WeightsRecord, name: str, error: Exception) -> WeightsError:
    return WeightsError(
        f"{name} of {record.name} is not in the Hugging Face cache, and the hub cannot be asked: {_first_line(error)}"
    )


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
            told = f"{_first_line(error)} The same command goes on from there."
    return WeightsError(f"{name} of {record.name} could not be downloaded: {told}")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
