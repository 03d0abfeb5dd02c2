"""C2PA manifests: who signed what about the image, and whether the signature holds."""

import io
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import c2pa

from forensics.provenance.standards import ai_source_type
from forensics.provenance.text import quoted
from forensics.provenance.trust import trust_anchors
from forensics.types import Claim, ImageSample

NONE: Final = float("nan")
BROKEN, VALID, TRUSTED = 0.0, 1.0, 2.0
_STATES = {"Valid": VALID, "Trusted": TRUSTED}
# Every manifest store is a JUMBF box of this label; without it the library is not even asked.
_LABEL = b"c2pa"


def read_c2pa(sample: ImageSample) -> tuple[tuple[Claim, ...], float]:
    """The claims of a C2PA manifest, and its state: 0 broken, 1 valid, 2 valid and trusted, NaN without a manifest.

    A claim of AI needs an action whose digital source type says so; it decides only where the signature holds and
    its signer is trusted. A broken manifest is told and not used (C2PA 2.1, 15).
    """
    if _LABEL not in sample.data or sample.media_type not in c2pa.Reader.get_supported_mime_types():
        return (), NONE
    try:
        context = _context(trust_anchors())
        with c2pa.Reader(sample.media_type, io.BytesIO(sample.data), context=context) as reader:
            state = _STATES.get(str(reader.get_validation_state()), BROKEN)
            store = json.loads(reader.json())
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.RemoteManifest):
        return (), NONE
    except (c2pa.C2paError, ValueError):
        return (_broken("cannot be read"),), BROKEN
    if state == BROKEN:
        return (_broken("does not match the image or its signature"),), BROKEN
    return (_claim(store, state),), state


@lru_cache(maxsize=2)
def _context(anchors: str) -> Any:
    """Settings of the library: nothing is ever fetched, and only the installed certificates are trusted."""
    settings: dict[str, Any] = {
        "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
        "trust": {"trust_anchors": anchors} if anchors else {},
    }
    return c2pa.Context.from_dict(settings)


def _claim(store: Mapping[str, Any], state: float) -> Claim:
    active = store.get("manifests", {}).get(store.get("active_manifest"), {})
    signer = quoted(str((active.get("signature_info") or {}).get("issuer") or "an unnamed signer"))
    trust = "a trusted signer" if state == TRUSTED else "a signer that is not in the trust list"
    told, generator = next(_ai_actions(store), ("", ""))
    # Cameras and newsrooms sign too: a manifest that does not speak of AI says nothing against it.
    content = f"the image {told}" if told else "how it was made, without naming a generative model"
    by = f" ({generator})" if generator else ""
    return Claim(
        carrier="C2PA",
        says_ai=bool(told),
        decisive=bool(told) and state == TRUSTED,
        statement=f"A valid C2PA signature by {signer}, {trust}, declares: {content}{by}.",
        generator=generator,
    )


def _ai_actions(store: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What each AI action of any manifest says, and the software it names; the ingredients' manifests count too."""
    for manifest in store.get("manifests", {}).values():
        for assertion in manifest.get("assertions", ()):
            if not str(assertion.get("label", "")).startswith("c2pa.actions"):
                continue
            for action in (assertion.get("data") or {}).get("actions", ()):
                if told := ai_source_type(str(action.get("digitalSourceType", ""))):
                    yield told, _agent(action, manifest)


def _agent(action: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    agent = action.get("softwareAgent") or manifest.get("claim_generator") or ""
    return quoted(str(agent.get("name", "")) if isinstance(agent, dict) else str(agent))


def _broken(why: str) -> Claim:
    return Claim(
        "C2PA", says_ai=False, decisive=False, statement=f"There is a C2PA manifest, but it {why}; it is not used."
    )
