"""C2PA manifests: who signed what about the image, and whether the signature holds."""

import io
import json
from collections.abc import Mapping
from typing import Any, Final

import c2pa

from forensics.provenance.manifests import Manifest, lineage
from forensics.provenance.standards import ai_source_type
from forensics.provenance.text import quoted
from forensics.provenance.trust import trust_anchors
from forensics.types import Claim, ImageSample

NONE: Final = float("nan")
BROKEN, VALID, TRUSTED = 0.0, 1.0, 2.0
_STATES = {"Valid": VALID, "Trusted": TRUSTED}
# Every manifest store in any format begins with this: a JUMBF description box of type `c2pa` (ISO 19566-5). Without it
# the library is not even asked.
_MARK = b"jumdc2pa"
MOST_MANIFEST_MB = 16


def read_c2pa(sample: ImageSample) -> tuple[tuple[Claim, ...], float]:
    """The claims of a C2PA manifest, and its state: 0 broken, 1 valid, 2 valid and trusted, NaN without a manifest.

    A claim of AI needs an action whose digital source type says so, in the manifest or that of a version the image was
    made from; it decides only where the signatures hold and their signers are trusted. A broken manifest is told and
    not used (C2PA 2.1, 15).
    """
    if _MARK not in sample.data or sample.media_type not in c2pa.Reader.get_supported_mime_types():
        return (), NONE
    context = _context(trust_anchors())
    try:
        with c2pa.Reader(sample.media_type, io.BytesIO(sample.data), context=context) as reader:
            state = _STATES.get(str(reader.get_validation_state()), BROKEN)
            store = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return (), NONE
    except (c2pa.C2paError, ValueError, RecursionError) as error:
        # A manifest that lies elsewhere is not in the file; the library has no type of its own for being told so.
        elsewhere = str(error).startswith("Remote")
        return ((), NONE) if elsewhere else ((_broken("cannot be read"),), BROKEN)
    chain = tuple(lineage(store, trusted=state == TRUSTED))
    if state == BROKEN or not chain:
        return (_broken("does not match the image or its signature"),), BROKEN
    return (_claim(chain),), state


def _context(anchors: str) -> Any:
    """Settings of the library: nothing is ever fetched, and only the installed certificates are trusted.

    Made anew for each file, which costs little: one that a process inherits by forking calls every manifest broken.
    """
    settings: dict[str, Any] = {
        "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
        "core": {
            "allowed_network_hosts": [],
            # Identity assertions are not used here, and checking them looks up their issuers.
            "decode_identity_assertions": False,
            "max_decompressed_manifest_size_in_mb": MOST_MANIFEST_MB,
        },
        "trust": {"trust_anchors": anchors} if anchors else {},
    }
    return c2pa.Context.from_dict(settings)


def _claim(chain: tuple[Manifest, ...]) -> Claim:
    speaking = max(((m, *found) for m in chain if (found := _ai_action(m.content))), key=_trust, default=None)
    manifest, told, generator = speaking or (chain[0], "", "")
    signer = quoted(str((manifest.content.get("signature_info") or {}).get("issuer") or "an unnamed signer"))
    trust = "a trusted signer" if manifest.trusted else "a signer that is not in the trust list"
    # Cameras and newsrooms sign too: a manifest that does not speak of AI says nothing against it.
    content = f"the image {told}" if told else "how it was made, without naming a generative model"
    by = f" ({generator})" if generator else ""
    of = " of an earlier version" if manifest.earlier else ""
    return Claim(
        carrier="C2PA",
        says_ai=bool(told),
        decisive=bool(told) and manifest.trusted,
        statement=f"A valid C2PA signature by {signer}, {trust}, declares{of}: {content}{by}.",
        generator=generator,
    )


def _trust(speaking: tuple[Manifest, str, str]) -> bool:
    return speaking[0].trusted


def _ai_action(manifest: Mapping[str, Any]) -> tuple[str, str] | None:
    """What the first AI action of a manifest says, and the software it names; None where no action speaks of AI."""
    for assertion in manifest.get("assertions") or ():
        if not str(assertion.get("label", "")).startswith("c2pa.actions"):
            continue
        for action in (assertion.get("data") or {}).get("actions") or ():
            if told := ai_source_type(str(action.get("digitalSourceType", ""))):
                return told, _agent(action, manifest)
    return None


def _agent(action: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    agent = action.get("softwareAgent") or manifest.get("claim_generator") or ""
    return quoted(str(agent.get("name", "")) if isinstance(agent, dict) else str(agent))


def _broken(why: str) -> Claim:
    return Claim(
        "C2PA", says_ai=False, decisive=False, statement=f"There is a C2PA manifest, but it {why}; it is not used."
    )
