"""Changes to the code that its tests must notice: `python -m benchmarks.mutants [FILE ...]`.

First the changes by hand (benchmarks/support/mutants/by_hand.py), then those that the operators of cosmic-ray make.
Each runs the tests of the changed file in a process of its own; the files on disk are left alone. Changes that no test
notices are told on stdout, and make the exit code 1.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from benchmarks.support.command import orderly, talk
from benchmarks.support.mutants.by_hand import BY_HAND
from benchmarks.support.mutants.generated import generated
from benchmarks.support.mutants.mutant import Mutant
from benchmarks.support.mutants.trial import TESTS, load_libraries, survives
from forensics.errors import ImgMlError


def main(
    files: Annotated[list[str] | None, typer.Argument(help=f"Some of {', '.join(TESTS)}; all by default.")] = None,
    most: Annotated[int, typer.Option(min=0, help="Generated changes tried in each file, drawn at random.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds after which the tests count as failed.")] = 300.0,
) -> None:
    """Run the tests against every change and list the survivors."""
    with orderly():
        unknown = set(files or ()) - TESTS.keys()
        if unknown:
            raise typer.BadParameter(f"{min(unknown)} is not among the files with tests here: {', '.join(TESTS)}.")
        chosen = [mutant for mutant in BY_HAND if mutant.file in (files or TESTS)]
        for file in files or TESTS:
            chosen += generated(file, most, seed)
        load_libraries()
        for file in files or TESTS:
            if not survives(Mutant(file, "nothing", Path(file).read_text(encoding="utf-8")), timeout):
                raise ImgMlError(f"The tests of {file} fail without a change: mend them first.")
        survivors = [one for one in track(chosen, "Changes", console=talk) if survives(one, timeout)]
    for mutant in survivors:
        print(f"{mutant.file}:{mutant.line}: {mutant.title}")
    talk.print(f"{len(survivors)} of {len(chosen)} changes survive.")
    if survivors:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
