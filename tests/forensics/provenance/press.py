"""A certificate authority and signers under it, made for one test run, and the images they sign."""

import datetime
import io
import json

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

INGREDIENT = "taken-in"
START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2044, 1, 1, tzinfo=datetime.UTC)
EMAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION.dotted_string


def name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test Press"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def certificate(
    key, subject: str, issuer: str, issuer_key, *, authority: bool, end: datetime.datetime = END, purpose: str = EMAIL
) -> x509.Certificate:
    usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(purpose)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


class Press:
    """A certificate authority and a signer under it, made for one test run."""

    def __init__(self, lasts: datetime.timedelta | None = None, usage: str = EMAIL) -> None:
        """The signer's certificate is valid for `lasts` from now, and for the extended key `usage`."""
        self._usage = usage
        end = datetime.datetime.now(datetime.UTC) + lasts if lasts else END
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = certificate(root_key, "Root", "Root", root_key, authority=True)
        leaf = certificate(key, "Signer", "Root", root_key, authority=False, end=end, purpose=usage)
        pem = serialization.Encoding.PEM
        self.anchors = root.public_bytes(pem).decode()
        self.trusts = self.anchors
        self._chain = leaf.public_bytes(pem) + root.public_bytes(pem)
        self._key = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def sign(
        self,
        data: bytes,
        media_type: str,
        actions: list[dict[str, object]],
        *,
        ingredient: tuple[str, bytes] | None = None,
        elsewhere: str = "",
        metadata: dict[str, str] | None = None,
    ) -> bytes:
        """The file with a manifest; of `ingredient` it says the relationship to the (JPEG) file beside it.

        `metadata` is signed beside the actions as IPTC properties. With `elsewhere` the manifest is not put into the
        file, only the address it would be found at.
        """
        assertions: list[dict[str, object]] = [{"label": "c2pa.actions", "data": {"actions": actions}}]
        if metadata:
            context = {"@context": {"Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"}}
            assertions.append({"label": "stds.iptc", "kind": "Json", "data": context | metadata})
        manifest = {"claim_generator_info": [{"name": "press-desk", "version": "1"}], "assertions": assertions}
        info = c2pa.C2paSignerInfo(b"es256", self._chain, self._key, None)
        # An editor checks what it takes in against its own list and writes down what it found.
        settings = {
            "verify": {"verify_after_sign": False},
            "trust": {"trust_anchors": self.trusts, "trust_config": f"{EMAIL}\n{self._usage}\n"},
        }
        signed = io.BytesIO()
        with c2pa.Signer.from_info(info) as signer:
            builder = c2pa.Builder(json.dumps(manifest), context=c2pa.Context.from_dict(settings))
            if ingredient is not None:
                about = {"title": "taken in", "relationship": ingredient[0], "instance_id": INGREDIENT}
                builder.add_ingredient(about, "image/jpeg", io.BytesIO(ingredient[1]))
            if elsewhere:
                builder.set_no_embed()
                builder.set_remote_url(elsewhere)
            builder.sign(signer, media_type, io.BytesIO(data), signed)
        return signed.getvalue()
