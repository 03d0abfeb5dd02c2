"""The families of forensic features by name."""

from collections.abc import Callable, Mapping

from benchmarks.support.forensic.block_dct import block_dct
from benchmarks.support.forensic.channels import channels
from benchmarks.support.forensic.cooccurrences import cooccurrences
from benchmarks.support.forensic.mosaic import mosaic
from benchmarks.support.forensic.numbers import Numbers
from benchmarks.support.forensic.spectrum import spectrum
from benchmarks.support.forensic.wavelets import wavelets
from forensics.types import Pixels

# Each takes H x W x 3 pixels of 64 a side or more, and always gives the same names.
FAMILIES: Mapping[str, Callable[[Pixels], Numbers]] = {
    "co-occurrences": cooccurrences,
    "angular spectrum": spectrum,
    "block DCT": block_dct,
    "wavelets": wavelets,
    "channels' noise": channels,
    "demosaicing": mosaic,
}
