"""`from img_ml import judge`, the light install, and the one command."""

import io
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from fusion.verdict import Verdict
from img_ml import judge
from tests.forensics.pictures import encoded, photo

ROOT = Path(__file__).parent.parent
# Everything that the light profile runs without.
HEAVY = (
    "torch torchvision transformers diffusers timm open_clip tensorboard matplotlib skimage huggingface_hub ray "
    "fastapi uvicorn limits"
)
_HIDING = f"""\
import sys

class Hiding:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY.split()}:
            raise ModuleNotFoundError("No module named " + name, name=name)

sys.meta_path.insert(0, Hiding)
"""


def blocked(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python with every optional library hidden."""
    code = (
        _HIDING + "import runpy\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_path_bytes_and_an_open_file_give_the_same_verdict(tmp_path: Path) -> None:
    data = encoded(photo("coffee"))
    path = tmp_path / "coffee.png"
    path.write_bytes(data)
    verdicts = [judge(path), judge(str(path)), judge(data), judge(io.BytesIO(data))]
    assert all(isinstance(verdict, Verdict) for verdict in verdicts)
    assert len({verdict.fusion_prob for verdict in verdicts}) == 1


def test_frames_of_an_animation_are_judged_where_they_are_asked_for() -> None:
    target = io.BytesIO()
    first, second = (Image.fromarray(photo("chelsea")).rotate(angle) for angle in (0, 5))
    first.save(target, "WEBP", save_all=True, append_images=[second], quality=90)
    alone = judge(target.getvalue(), profile="tiny")
    both = judge(target.getvalue(), profile="tiny", frames=2)
    assert (alone.evidence.reading.frames_judged, both.evidence.reading.frames_judged) == (1, 2)
    assert both.fusion_prob is not None
    assert alone.fusion_prob is not None
    assert both.fusion_prob <= alone.fusion_prob


def test_the_light_profile_runs_without_the_optional_libraries(tmp_path: Path) -> None:
    path = tmp_path / "coffee.png"
    path.write_bytes(encoded(photo("coffee")))
    done = blocked("local_test", "--quiet", str(path))
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.endswith("coffee.png\n")


def test_a_profile_that_needs_more_names_the_command_that_brings_it(tmp_path: Path) -> None:
    path = tmp_path / "coffee.png"
    path.write_bytes(encoded(photo("coffee")))
    done = blocked("local_test", "--json", "--profile", "standard", str(path))
    assert "python -m img_ml.weights pull dinov2-base" in done.stdout, done.stderr


@pytest.mark.parametrize("arguments", [("train-network", "clip_b16"), ("serve",)])
def test_a_command_that_needs_more_says_so_in_a_sentence(arguments: tuple[str, ...]) -> None:
    code = _HIDING + f"sys.argv = ['img-ml', *{arguments!r}]\nfrom scripts.command import main\nmain()\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "pip install 'img_ml[" in done.stderr) == (2, True), done.stderr


def test_help_of_the_command_imports_nothing_heavy_and_every_command_has_help() -> None:
    code = (
        "import sys\nfrom scripts.command import main\nsys.argv = ['img-ml', '-h']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'numpy', 'redis'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.endswith("[]\n")
    for command in ("check", "serve", "worker", "push", "train", "evaluate", "artifacts", "score", "dataset"):
        assert command in done.stdout


def test_the_parts_of_the_package_ask_for_what_the_whole_stack_asks_for() -> None:
    lines = [line.strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    stack = {line for line in lines if line and not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(project["dependencies"]) | set(extras["networks"]) | set(extras["web"]) <= stack
