"""Which artifact is in force: `python -m fusion.artifacts list | use ARTIFACT | back`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from forensics.documents import json_of
from forensics.errors import ArtifactError
from forensics.settings import load as load_settings
from fusion.artifacts.artifact import load_artifact
from fusion.artifacts.in_force import Fusion, fusion_in_force, has_artifact
from fusion.artifacts.pointer import Pointer, point, point_back, read_pointer
from fusion.prior import share
from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.profiles import Profile, load_profile
from img_ml.settings import ImgMlSettings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

OfProfile = Annotated[str | None, typer.Option("--profile", help="Profile (default: IMG_ML_PROFILE).")]
talk = talk_console()


@app.callback()
def main() -> None:
    """Choose the artifact that a profile answers with. Running workers take the change by themselves.

    Exit codes: 0 done, 2 it cannot be done, and nothing was changed.
    """


@app.command(name="list")
def show(profile: OfProfile = None) -> None:
    """List the artifact in force and the earlier ones.

    The AUC is that on the test split of the dataset an artifact was made from; the dataset is told by the first digits
    of the SHA-256 over its images, labels and splits.
    """
    table = Table("", "Artifact", "Fingerprint", "Test AUC")
    with told_errors(talk):
        of = _profile(profile)
        if not has_artifact(of):
            fusion = fusion_in_force(of)
            table.add_row("in force", _told_prior(fusion), fusion.fingerprint, "not measured")
            data_console().print(table)
            talk.print(f"{of.artifact} holds no artifact: the prior answers until you choose one with `use`.")
            return
        pointer = read_pointer(of.artifact)
    table.add_column("Dataset")
    for path in (pointer.artifact, *pointer.earlier):
        state = "in force" if path == pointer.artifact else ""
        table.add_row(state, str(path), _fingerprint(path), *_measured(path))
    data_console().print(table)
    talk.print("AUCs compare where the dataset is the same; python -m fusion.evaluate puts artifacts side by side.")


@app.command()
def use(artifact: Annotated[Path, typer.Argument()], profile: OfProfile = None) -> None:
    """Put an artifact in force, after everything in it was checked."""
    with told_errors(talk):
        of = _profile(profile)
        load_artifact(artifact).check_detectors(of.detectors, of.name)
        _tell(point(of.artifact, artifact.resolve()))


@app.command()
def back(profile: OfProfile = None) -> None:
    """Put the artifact before the current one in force again."""
    with told_errors(talk):
        of = _profile(profile)
        pointer, passed_over = point_back(
            of.artifact, lambda path: load_artifact(path).check_detectors(of.detectors, of.name)
        )
        for reason in passed_over:
            talk.print(f"Passed over: {reason}")
        _tell(pointer)


def _profile(name: str | None) -> Profile:
    settings = load_settings(ImgMlSettings)
    return load_profile(name or settings.profile, settings.model_dir)


def _told_prior(fusion: Fusion) -> str:
    """What the prior consists of: the light model, and each published classifier with the most it may add."""
    priors = (spec.prior for spec in fusion.priors if spec.prior is not None)
    beside = ", ".join(f"{prior.number} up to {share(prior, 1):.2f}" for prior in priors) or "nothing else"
    return f"prior: {fusion.folder} and {beside}"


def _tell(pointer: Pointer) -> None:
    talk.print(f"In force: {pointer.artifact}, fingerprint {_fingerprint(pointer.artifact)}")


def _fingerprint(folder: Path) -> str:
    try:
        return load_artifact(folder).fingerprint
    except ArtifactError as error:
        return f"refused: {error}"


def _measured(folder: Path) -> tuple[str, str]:
    """The AUC on the test split of the dataset that the artifact was made from, and that dataset's mark."""
    try:
        content = json_of((folder / "metrics.json").read_text(encoding="utf-8"))
        return f"{content['test']['AUC']['value']:.3f}", str(content["dataset_sha256"])[:8]
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown", ""


if __name__ == "__main__":
    run_command(app)
