"""How unsigned declarations are worded, one function per kind of declaration."""

from forensics.types import Claim


def created(carrier: str, told: str, generator: str = "") -> Claim:
    """The whole image was made by a machine: such a claim decides the label."""
    statement = f"The file itself declares that {told} ({carrier}, unsigned)."
    return Claim(carrier, True, True, statement, generator, declares="ai_created")


def possibly_created(carrier: str, told: str, generator: str = "") -> Claim:
    """It may have been made by a machine: shown, and decides nothing."""
    statement = f"The file itself declares that {told} ({carrier}, unsigned)."
    return Claim(carrier, True, False, statement, generator, declares="ai_possible")


def edited(carrier: str, told: str, generator: str = "") -> Claim:
    """A part of the image was made by a machine: shown, and decides nothing."""
    statement = f"The file itself declares that {told} ({carrier}, unsigned); this alone does not make the image AI."
    return Claim(carrier, False, False, statement, generator, declares="ai_edited")
