"""Damaged files of every kind through the real decoding processes: pixels or a known error, in time, nobody dies."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from forensics.errors import JobError
from forensics.examine import analyzers
from forensics.reading.decode import decode
from forensics.sandbox.sandbox import SandboxRules
from forensics.types import Skipped
from tests.worker.hostile import process_id
from tests.worker.mutations import MUTATIONS, mutant
from tests.worker.seed_files import seed_files
from worker.pipeline.decode_pool import DecodePool

# One of every mutation for every seed file.
COUNT = len(MUTATIONS) * len(seed_files())
RULES = SandboxRules(processes=1, timeout_s=10)
LIGHT = tuple(entry.spec.name for entry in analyzers() if entry.spec.tier == "light")


@pytest.fixture
async def pool() -> AsyncIterator[DecodePool]:
    opened = DecodePool(RULES)
    yield opened
    await asyncio.to_thread(opened.close)


@pytest.mark.parametrize("name", seed_files())
def test_the_seed_files_are_good_files_of_their_format(name):
    sample = decode(seed_files()[name])
    assert sample.media_type == f"image/{name.split()[0]}"
    assert {sample.width, sample.height} == {96, 72}


def test_a_mutant_is_the_same_whenever_it_is_made():
    steady = [n for n in range(COUNT) if "signed" not in mutant(n).seed][:50]
    first = [mutant(n) for n in steady]
    assert first == [mutant(n) for n in steady]
    assert sum(one.data != seed_files()[one.seed] for one in first) > 45


async def test_damaged_files_end_in_evidence_or_a_known_error_and_harm_no_process(pool, tmp_path):
    first_process = await pool._run(process_id, ())
    outcomes: Counter[str] = Counter()
    for number in range(COUNT):
        one = mutant(number)
        (tmp_path / "last").write_bytes(one.data)  # the signed ones differ in every run
        started = time.monotonic()
        try:
            examined = await pool.examine(one.data, LIGHT, False)
        except JobError as error:
            outcomes[error.code] += 1
            told = str(error)
        else:
            outcomes["evidence"] += 1
            told = ""
            assert {signal.detector for signal in examined.evidence.signals} == set(LIGHT), one.name
            failed = [s for s in examined.evidence.signals if isinstance(s, Skipped) and s.reason.startswith("failed")]
            assert not failed, one.name
        assert "crashed" not in told, one.name
        assert "takes" not in told, one.name  # too long, or too much memory
        assert time.monotonic() - started < RULES.timeout_s, one.name
    assert outcomes.keys() == {"evidence", "decode_failed", "not_an_image", "too_many_pixels"}, outcomes
    assert outcomes["evidence"] > COUNT / 5, outcomes
    assert await pool._run(process_id, ()) == first_process
