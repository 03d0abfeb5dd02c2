"""The chain of C2PA manifests an image descends from, and how far the trust in its last signer reaches back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_CHAIN = 50
# The library gives one code for a picture that was changed and for a hash that leaves out more than the manifest.
MISPLACED = "assertion.dataHash.mismatch: exclusions"
_MISPLACED_TOLD = "exclusion does not match the manifest location"
_TIME_TRUSTED = "timeStamp.trusted"
_UNTRUSTED, _TRUSTED = "signingCredential.untrusted", "signingCredential.trusted"
# These change nothing of what was signed: what is wrong with a certificate or a time stamp, and actions that were
# signed as they stand and do not follow the standard to the letter, as those of many older writers.
_HARMLESS = ("signingCredential.", "timeStamp.", "assertion.action.", "assertion.timestamp.")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One signed manifest; `trusted` when its signer is, and so is every later one up to the image at hand."""

    content: Mapping[str, Any]
    trusted: bool
    earlier: bool


def lineage(store: Mapping[str, Any], trusted: bool) -> Iterator[Manifest]:
    """The active manifest, then those of the versions it was made from, newest first; `trusted` is the active one's.

    Only parents are followed: what was merely placed in the image or used as an input does not tell how the image was
    made. A parent whose validation failed ends the chain. Anybody can name anybody's manifest as a parent, and whether
    it matched its pixels is the child's word, so a parent is trusted only where its child is.
    """
    manifests, label = store.get("manifests") or {}, str(store.get("active_manifest"))
    deltas = (store.get("validation_results") or {}).get("ingredientDeltas") or ()
    seen: set[str] = set()
    while label in manifests and label not in seen and len(seen) < LONGEST_CHAIN:
        yield Manifest(manifests[label], trusted, earlier=bool(seen))
        seen.add(label)
        parent = _parent(manifests[label])
        label = str(parent.get("active_manifest"))
        recorded, now = _recorded_codes(parent), _delta_codes(deltas, label)
        failures = recorded["failure"] | now["failure"]
        if any(breaks(code) for code in failures):
            return
        known = _TRUSTED in recorded["success"] | now["success"]
        trusted = trusted and known and not now["failure"] and not recorded["failure"] - {_UNTRUSTED}


def breaks(code: str) -> bool:
    """Whether a failure means that what was signed cannot be relied on."""
    return not code.startswith(_HARMLESS)


def failures_of(store: Mapping[str, Any]) -> set[str]:
    """The codes of everything that validation of the active manifest found wrong; MISPLACED for a hash that the
    library did not compare."""
    results = (store.get("validation_results") or {}).get("activeManifest") or {}
    return {
        MISPLACED if _MISPLACED_TOLD in str(status.get("explanation")) else str(status.get("code"))
        for status in results.get("failure") or ()
    }


def is_dated(store: Mapping[str, Any]) -> bool:
    """Whether a trusted time stamp says when the active manifest was signed."""
    results = (store.get("validation_results") or {}).get("activeManifest") or {}
    return any(
        status.get("code") == _TIME_TRUSTED
        for kind in ("success", "informational")
        for status in results.get(kind) or ()
    )


def _parent(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    parents = (i for i in manifest.get("ingredients") or () if i.get("relationship") == "parentOf")
    return next(parents, {})


def _recorded_codes(ingredient: Mapping[str, Any]) -> dict[str, set[str]]:
    """What the child's signer found when it took the parent in; older manifests recorded failures alone."""
    results = (ingredient.get("validation_results") or {}).get("activeManifest") or {}
    codes = {kind: {str(status.get("code")) for status in results.get(kind) or ()} for kind in ("success", "failure")}
    codes["failure"] |= {str(status.get("code")) for status in ingredient.get("validation_status") or ()}
    return codes


def _delta_codes(deltas: Any, label: str) -> dict[str, set[str]]:
    """Where today's validation of the manifest `label` differs from what was recorded."""
    codes: dict[str, set[str]] = {"success": set(), "failure": set()}
    for delta in deltas:
        for kind, found in codes.items():
            statuses = (delta.get("validationDeltas") or {}).get(kind) or ()
            found |= {str(s.get("code")) for s in statuses if _manifest_of(str(s.get("url"))) == label}
    return codes


def _manifest_of(url: str) -> str:
    """The label of the manifest that a JUMBF reference leads into."""
    return url.removeprefix("self#jumbf=/c2pa/").partition("/")[0]
