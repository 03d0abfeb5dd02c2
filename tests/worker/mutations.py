"""A seeded fuzzer of image files: the same number always damages the same seed file in the same way."""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

from tests.worker.file_parts import Number, Part, parts, sizes, with_true_checksums
from tests.worker.seed_files import seed_files

_MAGICS = (
    b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\x10\0\0\0WEBP", b"GIF89a", b"BM", b"II*\0", b"MM\0*",
    b"\0\0\0\x1cftypavif", b"\0\0\0\x18ftypheic", b"%PDF-1.7", b"<svg xmlns", b"PK\x03\x04", b"\x7fELF", b"\0\0\0\0",
)  # fmt: skip
_SIDES = (0, 1, 2, 63, 255, 1000, 4096, 8192, 16383, 32767, 65535, 100_000, 2**24, 2**31 - 1, 2**32 - 1)
_LENGTHS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)

Mutation = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A damaged file, and what was done to which good one."""

    number: int
    seed: str
    done: str
    data: bytes

    @property
    def name(self) -> str:
        """One line that tells it apart."""
        return f"{self.number}: {self.seed}, {self.done}"


def mutant(number: int) -> Mutant:
    """The mutant of that number: every seed file and every mutation has its turn."""
    dice = random.Random(number)
    seed = list(seed_files())[number % len(seed_files())]
    names = list(MUTATIONS)
    done = [names[number // len(seed_files()) % len(names)]]
    while dice.random() < 0.2:
        done.append(dice.choice(names))
    data = seed_files()[seed]
    for name in done:
        data = MUTATIONS[name](data, dice)
    if data[:4] == b"\x89PNG" and dice.random() < 0.6:
        done.append("checksums made right")
        data = with_true_checksums(data)
    return Mutant(number, seed, ", ".join(done), data)


def _flipped_bits(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(min(len(data), dice.choice((1, 1, 4, 40)))):
        changed[_place(data, dice)] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _overwritten(data: bytes, dice: random.Random) -> bytes:
    start, length = _place(data, dice), dice.randint(1, 64)
    filling = dice.choice((dice.randbytes(length), bytes(length), b"\xff" * length))
    return data[:start] + filling + data[start + length :]


def _cut_off(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _cut_out(data: bytes, dice: random.Random) -> bytes:
    start = _place(data, dice)
    return data[:start] + data[start + dice.randint(1, 512) :]


def _longer_part(data: bytes, dice: random.Random) -> bytes:
    """A length field says more, or less, than there is."""
    found = [part for part in _parts(data) if part.length_at + struct.calcsize(part.length_format) <= len(data)]
    if not found:
        return _number_anywhere(data, dice)
    part = dice.choice(found)
    return _with_number(data, Number(part.length_at, part.length_format), dice.choice(_LENGTHS))


def _number_anywhere(data: bytes, dice: random.Random) -> bytes:
    kind = dice.choice(("<H", ">H", "<I", ">I"))
    if len(data) < 4:
        return data
    return _with_number(data, Number(min(_place(data, dice), len(data) - 4), kind), dice.choice(_LENGTHS))


def _other_size(data: bytes, dice: random.Random) -> bytes:
    """The header announces another size, mostly a huge one, in one direction or in both."""
    try:
        pairs = sizes(data)
    except (KeyError, ValueError, IndexError, struct.error):
        pairs = []  # an earlier mutation left no header to change
    if not pairs:
        return _number_anywhere(data, dice)
    width, height = dice.choice(pairs)
    side = dice.choice(_SIDES)
    which = dice.choice(("width", "height", "both", "both"))
    changed = _with_number(data, width, side) if which != "height" else data
    return with_true_checksums(_with_number(changed, height, side) if which != "width" else changed)


def _wrong_magic(data: bytes, dice: random.Random) -> bytes:
    magic = dice.choice(_MAGICS)
    return magic + data[len(magic) :]


def _spliced(data: bytes, dice: random.Random) -> bytes:
    """The beginning of this file and the end of another."""
    other = dice.choice(list(seed_files().values()))
    return data[: _place(data, dice)] + other[dice.randrange(len(other)) :]


def _garbage_behind(data: bytes, dice: random.Random) -> bytes:
    return data + dice.choice((dice.randbytes(2000), bytes(2000), dice.choice(list(seed_files().values()))))


def _repeated_part(data: bytes, dice: random.Random) -> bytes:
    found = [part for part in _parts(data) if part.end <= len(data)]
    if not found:
        start = _place(data, dice)
        return data[:start] + data[start : start + 64] * 20 + data[start:]
    part = dice.choice(found)
    times = dice.choice((1, 2, 50)) if part.end - part.start < 2000 else 1
    return data[: part.end] + data[part.start : part.end] * times + data[part.end :]


def _parts_in_another_order(data: bytes, dice: random.Random) -> bytes:
    found = [part for part in _parts(data) if part.end <= len(data)]
    if len(found) < 2:
        return _overwritten(data, dice)
    first, second = sorted(dice.sample(found, 2), key=lambda part: part.start)
    if first.end > second.start:  # one inside the other
        return data[: second.start] + data[second.end :]
    between = data[first.end : second.start]
    moved = data[second.start : second.end] + between + data[first.start : first.end]
    return data[: first.start] + moved + data[second.end :]


MUTATIONS: dict[str, Mutation] = {
    "bits flipped": _flipped_bits,
    "a run overwritten": _overwritten,
    "cut off": _cut_off,
    "a run cut out": _cut_out,
    "a length changed": _longer_part,
    "a number changed": _number_anywhere,
    "another size announced": _other_size,
    "wrong magic": _wrong_magic,
    "spliced": _spliced,
    "garbage behind": _garbage_behind,
    "a part repeated": _repeated_part,
    "parts in another order": _parts_in_another_order,
}


def _place(data: bytes, dice: random.Random) -> int:
    """Any place in the file, half of the time among its first bytes, where the structure is."""
    if not data:
        return 0
    return dice.randrange(min(len(data), 400)) if dice.random() < 0.5 else dice.randrange(len(data))


def _parts(data: bytes) -> list[Part]:
    try:
        return parts(data)
    except (ValueError, IndexError, struct.error):
        return []  # an earlier mutation left nothing to walk


def _with_number(data: bytes, number: Number, value: int) -> bytes:
    """The file with that number there, cut to what its format holds."""
    size = struct.calcsize(number.format)
    order = "little" if number.format[0] == "<" else "big"
    written = (value & (1 << 8 * size) - 1).to_bytes(size, order)
    return data[: number.at] + written + data[number.at + size :]
