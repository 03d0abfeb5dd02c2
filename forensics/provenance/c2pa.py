"""C2PA manifests: who signed what about the image, and whether the signature holds."""

import io
import re
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any, Final, get_args

import c2pa

from forensics.documents import json_of
from forensics.provenance.binding import covers_picture
from forensics.provenance.manifests import MISPLACED, Manifest, breaks, failures_of, is_dated, lineage
from forensics.provenance.standards import source_type
from forensics.provenance.text import quoted
from forensics.provenance.trust import official_anchors, trust_anchors
from forensics.provenance.validity import valid_until
from forensics.types import Claim, Declares, ImageSample, SignatureState

NONE: Final = float("nan")
# A state's number is its place here.
STATES: Final[tuple[SignatureState, ...]] = get_args(SignatureState)
# Every manifest store in any format begins with this: a JUMBF description box of type `c2pa` (ISO 19566-5). Without it
# the library is not even asked.
_MARK = b"jumdc2pa"
MOST_MANIFEST_MB = 16
# Extended key usages that may sign content: e-mail and document signing, time stamps, OCSP, and C2PA's own.
_KEY_USAGES = "1.3.6.1.5.5.7.3.4\n1.3.6.1.5.5.7.3.36\n1.3.6.1.5.5.7.3.8\n1.3.6.1.5.5.7.3.9\n1.3.6.1.4.1.62558.2.1\n"
# What a state means for the one who reads it; the first three are not used.
_BROKEN: Mapping[SignatureState, str] = {
    "content_mismatch": "the image or the manifest was changed after it was signed: the content does not match",
    "signature_invalid": "its signature is invalid: the manifest was changed or forged",
    "malformed": "it is damaged or does not follow the standard",
}
_STANDING: Mapping[SignatureState, str] = {
    "certificate_unfit": "its certificate is not fit for signing content",
    "certificate_expired": "its certificate had expired",
    "signer_unknown": "not in the trust list",
    "trusted": "a trusted signer",
}
_METADATA = ("stds.iptc", "c2pa.metadata", "cawg.metadata")
_ACTIONS_OF_CREATION = {"c2pa.created", ""}
_TOLD: Mapping[Declares, str] = {
    "ai_created": "{image} was created by a generative model",
    "ai_edited": "a part of {image} was changed by a generative model",
}


def read_c2pa(sample: ImageSample) -> tuple[tuple[Claim, ...], float]:
    """The claims of a C2PA manifest, and the number of its state in STATES; NaN without a manifest.

    A claim of AI needs an action whose digital source type says so, in the manifest or that of a version the image was
    made from. It decides where it is of the whole image and content and signature hold, whoever signed: unsigned
    declarations decide too. What is broken is told and not used (C2PA 2.1, 15). Where no trusted time stamp says when
    it was signed, the library looks at certificates as of today; then the state may change with the day, but neither
    the label nor the sentence, which tells the certificate's last day in place of its standing.
    """
    if _MARK not in sample.data or sample.media_type not in c2pa.Reader.get_supported_mime_types():
        return (), NONE
    try:
        with c2pa.Reader(sample.media_type, io.BytesIO(sample.data), context=_context()) as reader:
            store = json_of(reader.json())
            failures = failures_of(store)
            if MISPLACED in failures and covers_picture(json_of(reader.detailed_json()), sample):
                failures -= {MISPLACED}
    except c2pa.C2paError.ManifestNotFound:
        return (), NONE
    except (c2pa.C2paError, ValueError) as error:
        # A manifest that lies elsewhere is not in the file; the library has no type of its own for being told so.
        return ((), NONE) if str(error).startswith("Remote") else _broken("malformed")
    state = _state(failures)
    chain = tuple(lineage(store, trusted=state == "trusted"))
    if state in _BROKEN or not chain:
        return _broken(state if state in _BROKEN else "malformed")
    claim = _claim(chain, state, None if is_dated(store) else sample.data)
    return (claim,), float(STATES.index(claim.signature or state))


def _state(failures: set[str]) -> SignatureState:
    """The worst that the codes of a validation mean (C2PA 2.1, 15.2.2)."""
    rest = {code for code in failures if breaks(code)}
    outside = "claimSignature.outsideValidity" in rest
    rest -= {"claimSignature.outsideValidity"}
    if any(code.startswith("assertion.") and code.endswith("mismatch") for code in rest):
        return "content_mismatch"
    if any(code.startswith("claimSignature.") for code in rest):
        return "signature_invalid"
    if rest:
        return "malformed"
    if "signingCredential.expired" in failures:
        return "certificate_expired"
    credential = {code for code in failures if code.startswith("signingCredential.")}
    if outside or credential - {"signingCredential.untrusted"}:
        return "certificate_unfit"
    return "signer_unknown" if credential else "trusted"


def _context() -> Any:
    """Settings of the library: nothing is ever fetched; C2PA's list and the installed certificates are trusted.

    Made anew for each file, which costs little: one that a process inherits by forking calls every manifest broken.
    """
    trust = {"trust_config": _KEY_USAGES, "trust_anchors": official_anchors()}
    if anchors := trust_anchors():
        trust["user_anchors"] = anchors
    settings: dict[str, Any] = {
        "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
        "core": {
            "allowed_network_hosts": [],
            # Identity assertions are not used here, and checking them looks up their issuers.
            "decode_identity_assertions": False,
            "max_decompressed_manifest_size_in_mb": MOST_MANIFEST_MB,
        },
        "trust": trust,
    }
    return c2pa.Context.from_dict(settings)


def _undated(data: bytes, manifest: Manifest) -> str:
    """What can be said on any day of a signer whose signature nobody dated."""
    serial = str((manifest.content.get("signature_info") or {}).get("cert_serial_number") or "")
    last_day = valid_until(data, serial)
    until = f"its certificate is valid until {last_day}; " if last_day else ""
    return f"{until}no trusted time stamp says when it signed"


def _claim(chain: tuple[Manifest, ...], state: SignatureState, undated: bytes | None) -> Claim:
    """What the manifests say: whole creation before edits, the newer before the older.

    `undated` is the file where no trusted time stamp says when it was signed.
    """
    spoken = [(manifest, *told) for manifest in chain if (told := _declared(manifest.content))]
    whole = [one for one in spoken if one[1] == "ai_created"]
    trusted = [one for one in whole if one[0].trusted]
    manifest, declares, generator = (*trusted, *whole, *spoken, (chain[0], None, ""))[0]
    if manifest.earlier and state == "trusted" and not manifest.trusted:
        state = "signer_unknown"
    signer = quoted(str((manifest.content.get("signature_info") or {}).get("issuer") or "an unnamed signer"))
    standing = _STANDING[state]
    if undated is not None and state != "certificate_unfit":
        standing = _undated(undated, manifest)
    return Claim(
        carrier="C2PA",
        says_ai=declares == "ai_created",
        decisive=declares == "ai_created",
        statement=f"An intact C2PA signature by {signer} ({standing}) {_content(manifest, declares, generator)}.",
        generator=generator,
        declares=declares,
        signature=state,
    )


def _content(manifest: Manifest, declares: Declares | None, generator: str) -> str:
    image = "an earlier version of the image" if manifest.earlier else "the image"
    if declares is None:
        # Cameras and newsrooms sign too: a manifest that does not speak of AI says nothing against it.
        return f"tells how {image} was made, and names no generative model"
    return f"declares that {_TOLD[declares].format(image=image)}{f', {generator}' if generator else ''}"


def _declared(manifest: Mapping[str, Any]) -> tuple[Declares, str] | None:
    """What a manifest's actions and metadata say of AI, and the software they name; whole creation before edits."""
    found: list[tuple[Declares, str]] = []
    for action, agents in _actions(manifest):
        if told := source_type(str(action.get("digitalSourceType", ""))):
            is_creation = told[0] == "ai_created" and str(action.get("action", "")) in _ACTIONS_OF_CREATION
            found.append(("ai_created" if is_creation else "ai_edited", _agent(action, agents, manifest)))
    found += [(told[0], _claim_generator(manifest)) for uri in _source_types(manifest) if (told := source_type(uri))]
    return min(found, key=itemgetter(0), default=None)


def _source_types(manifest: Mapping[str, Any]) -> Iterator[str]:
    """The digital source types in signed IPTC metadata, which says the same as XMP does unsigned."""
    for assertion in manifest.get("assertions") or ():
        data = assertion.get("data")
        if str(assertion.get("label", "")).startswith(_METADATA) and isinstance(data, Mapping):
            yield from (str(uri) for key, uri in data.items() if key.rpartition(":")[2] == "DigitalSourceType")


def _actions(manifest: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Each action with the list of agents it may refer to."""
    for assertion in manifest.get("assertions") or ():
        if not str(assertion.get("label", "")).startswith("c2pa.actions"):
            continue
        data = assertion.get("data") or {}
        for action in data.get("actions") or ():
            if isinstance(action, Mapping):
                yield action, data.get("softwareAgents") or ()


def _agent(action: Mapping[str, Any], agents: Any, manifest: Mapping[str, Any]) -> str:
    """The software that an action names, or else the one that made the claim."""
    agent = action.get("softwareAgent")
    index = action.get("softwareAgentIndex")
    if not agent and isinstance(index, int) and isinstance(agents, list) and 0 <= index < len(agents):
        agent = agents[index]
    return _name(agent) or _claim_generator(manifest)


def _claim_generator(manifest: Mapping[str, Any]) -> str:
    """`claim_generator_info`, or the older user agent string without its libraries."""
    info = manifest.get("claim_generator_info") or ()
    first = (info[0] if isinstance(info, list) else info) if info else None
    agent = str(manifest.get("claim_generator") or "")
    return _name(first) or quoted(re.split(r"[/ ](?=[\d.])| c2pa-", agent)[0].replace("_", " "))


def _name(agent: Any) -> str:
    if isinstance(agent, Mapping):
        return quoted(f"{agent.get('name') or ''} {agent.get('version') or ''}").strip()
    return quoted(str(agent)) if agent else ""


def _broken(state: SignatureState) -> tuple[tuple[Claim, ...], float]:
    statement = f"There is a C2PA manifest, but {_BROKEN[state]}; it is not used."
    return (Claim("C2PA", False, False, statement, signature=state),), float(STATES.index(state))
