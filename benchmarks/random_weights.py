"""Random weights of the published sizes, to keep: `python -m benchmarks.random_weights FOLDER`.

What follows is the real road at full size without any download: IMG_ML_WEIGHTS_DIR=FOLDER IMG_ML_PROFILE=full for
local_test.py or the worker. The verdicts mean nothing; time and memory are those of the published networks.
"""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.support.command import orderly, talk
from benchmarks.support.engine.random_weights import missing_word, write
from forensics.registry import get
from forensics.settings import load as load_settings
from img_ml.command import run_command
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def random_weights(
    folder: Annotated[Path, typer.Argument(help="Folder of weights to write into.")],
    profile: Annotated[str, typer.Option(help="Profile whose learned detectors get weights.")] = "full",
    tiny: Annotated[bool, typer.Option("--tiny", help="Networks of a few kilobytes: a smoke test.")] = False,
) -> None:
    """Write random weights in the published layout; all of the full profile take 23 GB of disk and 11 GB of memory."""
    with orderly():
        found = load_profile(profile, load_settings(ImgMlSettings).model_dir)
        learned = [name for name in found.detectors if get(name).load is not None]
        left_out = write(learned, folder, tiny=tiny)
        if left_out:
            talk.print(missing_word(left_out))
        talk.print(f"IMG_ML_WEIGHTS_DIR={folder} IMG_ML_PROFILE={profile} makes use of them.")


if __name__ == "__main__":
    run_command(app)
