"""`local_test.py`: a verdict by hand, for people and for machines, with its exit codes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from PIL import Image, PngImagePlugin
from typer.testing import CliRunner, Result

from img_ml.profiles import load_profile
from img_ml.settings import PACKAGED_MODELS
from local_test import app
from tests.forensics.pictures import encoded, photo
from tests.img_ml.tiny import write_mantranet
from tests.worker import web as pages

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder of the light profile takes a second an image; tests of its answers ask for it."""
    monkeypatch.setenv("IMG_ML_PROFILE", "tiny")


def run(*arguments: object, **options: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "coffee.png"
    path.write_bytes(encoded(photo("coffee")))
    return path


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "declared.png"
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1")
    Image.fromarray(photo("chelsea")).save(path, pnginfo=info)
    return path


def test_json_is_one_document_an_image_and_nothing_else(picture: Path) -> None:
    result = run("--json", picture, picture)
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    schema = json.loads((ROOT / "docs" / "schema" / "verdict.schema.json").read_text())
    for document in documents:
        jsonschema.validate(document, schema)
        document.pop("timings_ms")
    assert len(documents) == 2
    assert documents[0] == documents[1]
    assert documents[0]["status"] == "done"
    assert documents[0]["image_url"] == str(picture)


def test_several_frames_of_an_animation_are_judged_where_they_are_asked_for(tmp_path: Path) -> None:
    path, frames = tmp_path / "cat.webp", [Image.fromarray(photo("chelsea")).rotate(angle) for angle in (0, 4, 8)]
    frames[0].save(path, save_all=True, append_images=frames[1:], quality=90)
    one = json.loads(run("--json", "--profile", "tiny", path).stdout)
    several = json.loads(run("--json", "--profile", "tiny", "--frames", 3, path).stdout)
    assert (one["image"]["frames"], one["image"]["frame"], one["image"]["frames_judged"]) == (3, 1, 1)
    assert several["image"]["frames_judged"] == 3
    assert any("the first frame was judged" in told for told in one["reasoning"])
    assert any("3 of them were judged" in told for told in several["reasoning"])


def test_people_read_label_probability_reasons_and_signals(picture: Path) -> None:
    result = run(picture)
    assert result.exit_code in (0, 1)
    for text in (
        "600 x 400, image/png",
        "Probability of AI, from the pixels alone",
        "What moved the probability",
        "Measured and weighed",
        "Provenance",
    ):
        assert text in result.stdout


def test_a_declared_image_is_labelled_ai_and_exits_with_1(declared: Path) -> None:
    result = run(declared)
    assert result.exit_code == 1
    assert "AI-generated, as the file itself declares" in result.stdout
    assert "Stable Diffusion WebUI" in result.stdout


def test_what_cannot_be_judged_is_a_sentence_on_stderr_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>")
    result = run(tmp_path / "page.html", tmp_path / "absent.jpg", "http://127.0.0.1/x.jpg", "file:///etc/passwd")
    assert result.exit_code == 2
    assert result.stdout == ""
    for code in ("not_an_image", "fetch_failed", "blocked_url"):
        assert code in result.stderr
    assert "Traceback" not in result.stderr


def test_some_judged_and_some_not_exits_with_3(picture: Path, tmp_path: Path) -> None:
    result = run("--json", picture, tmp_path / "absent.jpg")
    statuses = [json.loads(line)["status"] for line in result.stdout.splitlines()]
    assert (result.exit_code, statuses) == (3, ["done", "error"])


def test_an_allowed_url_is_fetched_and_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    with pages.running_web() as web:
        web.pages["/coffee.png"] = encoded(photo("coffee"))
        monkeypatch.setenv("FETCH_ALLOW", web.place)
        result = run("--json", f"{web.url}/coffee.png")
    assert json.loads(result.stdout)["status"] == "done"


def test_the_workers_download_limit_does_not_hold_for_local_files(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FETCH_MAX_BYTES", "100")
    result = run("--json", picture)
    assert json.loads(result.stdout)["status"] == "done"


def test_inputs_of_one_name_do_not_overwrite_each_others_pictures(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    other = tmp_path / "a" / "coffee.jpg"
    other.write_bytes(encoded(photo("chelsea"), "JPEG"))
    run("--debug-dir", tmp_path / "debug", picture, other)
    sizes = set()
    for name in ("coffee.ela.png", "coffee-2.ela.png"):
        with Image.open(tmp_path / "debug" / name) as image:
            sizes.add(image.size)
    assert sizes == {(600, 436), (451, 336)}


def test_the_report_is_one_file_that_holds_pictures_maps_and_the_answer(picture: Path, tmp_path: Path) -> None:
    named = tmp_path / "<script>alert(1)<b>.png"
    named.write_bytes(picture.read_bytes())
    report = tmp_path / "report.html"
    result = run("--html", report, picture, named)
    text = report.read_text("utf-8")
    assert result.exit_code in (0, 1)
    assert text.count('src="data:image/jpeg;base64,') >= 6
    assert "Bright is not guilt" in text
    assert "aria-sort" in text
    assert "<script>alert" not in text
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)


def in_terminal(*arguments: object, output: Path, text: bytes = b"") -> int:
    """Run with stderr on a pseudo-terminal and stdout in a file; the exit code."""
    import pty

    parent, child = pty.openpty()
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *(str(one) for one in arguments)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=file, stderr=child,
        )  # fmt: skip
        os.close(child)
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()
        try:
            while os.read(parent, 65536):
                pass
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(parent)
        return process.wait(timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
@pytest.mark.parametrize("form", ["--json", "--csv", "--quiet", None])
def test_data_goes_to_stdout_while_stderr_is_a_terminal(picture: Path, tmp_path: Path, form: str | None) -> None:
    output = tmp_path / "out"
    options = [] if form is None else [form]
    assert in_terminal("local_test.py", *options, picture, picture, output=output) in (0, 1)
    assert output.read_text("utf-8").count("coffee.png") == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_one_image_on_standard_input_is_judged_with_stderr_on_a_terminal(picture: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    in_terminal("local_test.py", "--json", "-", output=output, text=picture.read_bytes())
    document = json.loads(output.read_text("utf-8"))
    assert (document["status"], document["image_url"]) == ("done", "standard input")


def test_csv_and_quiet_give_one_line_an_image(picture: Path, tmp_path: Path) -> None:
    rows = run("--csv", picture, tmp_path / "absent.jpg").stdout.splitlines()
    assert rows[0].startswith("image,status,label")
    assert [row.split(",")[1] for row in rows[1:]] == ["done", "error"]
    lines = run("--quiet", picture, tmp_path / "absent.jpg").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["ERROR"]
    assert lines[0].endswith("coffee.png")


def test_output_is_utf_8_whatever_the_code_page(tmp_path: Path, picture: Path) -> None:
    named = tmp_path / "Käse-猫.png"
    named.write_bytes(picture.read_bytes())
    done = subprocess.run(
        [sys.executable, "local_test.py", "--json", str(named)],
        cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}, capture_output=True, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout.decode("utf-8"))["image_url"] == str(named)


def test_a_declaration_that_the_pixels_contradict_is_not_shown_without_a_word(declared: Path) -> None:
    told = " ".join(run(declared).stdout.split())
    assert "The label rests on the declaration; the pixels alone" in told


def test_the_screen_speaks_the_language_that_was_chosen(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG_ML_LANG", "de_AT.UTF-8")
    assert "Was daraus nicht folgt" in run(picture).stdout


def test_heatmaps_are_saved_where_asked(picture: Path, tmp_path: Path) -> None:
    run("--debug-dir", tmp_path / "debug", picture)
    with Image.open(tmp_path / "debug" / "coffee.ela.png") as image:
        assert image.size == (600, 436)


def test_the_map_of_a_network_is_saved_like_any_other(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mantranet(tmp_path / "weights")
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    run("--profile", "full", "--debug-dir", tmp_path / "debug", picture)
    for name in ("coffee.mantranet.png", "coffee.mantranet.map.png"):
        with Image.open(tmp_path / "debug" / name) as image:
            assert image.size == (600, 436)


def test_a_wrong_setting_or_profile_is_a_sentence_and_exit_code_2(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("--profile", "huge", picture)
    assert (result.exit_code, "no profile 'huge'" in result.stderr) == (2, True)
    monkeypatch.setenv("FUSION_THRESHOLD", "7")
    result = run(picture)
    assert (result.exit_code, "FUSION_THRESHOLD is wrong" in result.stderr) == (2, True)


@pytest.mark.parametrize("profile", ["standard", "full"])
def test_a_profile_without_weights_and_without_a_trained_fusion_answers_and_says_so(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "none"))
    light = json.loads(run("--json", "--profile", "light", picture).stdout)
    document = json.loads(run("--json", "--profile", profile, picture).stdout)
    assert (light["model"]["fusion"], document["model"]["fusion"]) == ("trained", "prior")
    assert document["fusion_prob"] == light["fusion_prob"]
    assert "python -m img_ml.weights pull" in document["skipped"]["dino"]
    assert "No fusion was trained for this profile" in " ".join(run("--profile", profile, picture).stdout.split())


def test_one_threshold_leaves_two_labels(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUSION_THRESHOLD", "0.5")
    document = json.loads(run("--json", picture).stdout)
    assert document["label"] == ("AI" if document["fusion_prob"] >= 0.5 else "NON-AI")


def test_called_bare_without_a_terminal_it_says_how_and_exits_with_2() -> None:
    done = subprocess.run(
        [sys.executable, "local_test.py"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Usage" in done.stderr
    assert done.stdout == ""


@pytest.mark.shared
def test_stripping_all_metadata_hardly_moves_the_probability(shared_data: Path) -> None:
    import numpy as np

    from forensics.reading.decode import decode
    from forensics.reading.strip import strip_metadata
    from fusion.judge import load_judge
    from fusion.settings import FusionSettings
    from img_ml.settings import ImgMlSettings

    judge = load_judge(ImgMlSettings(), FusionSettings())
    files = sorted(p for p in (shared_data / "originals").iterdir() if p.suffix in (".jpg", ".png", ".webp"))[::4][:50]
    moved = []
    for file in files:
        kept, stripped = judge.judge([decode(data) for data in (file.read_bytes(), strip_metadata(file.read_bytes()))])
        assert kept.fusion_prob is not None
        assert stripped.fusion_prob is not None
        moved.append(abs(kept.fusion_prob - stripped.fusion_prob))
    assert len(moved) == 50
    assert np.mean(moved) < 0.02


@pytest.mark.parametrize("by", ["option", "profile"])
def test_as_published_does_not_turn_what_exif_turns(tmp_path: Path, by: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    Image.fromarray(photo("coffee")).save(path, exif=exif)
    tiny = load_profile("tiny", PACKAGED_MODELS)
    profile = tmp_path / "mine.toml"
    profile.write_text(
        f"detectors = {json.dumps(tiny.detectors)}\nartifact = {json.dumps(str(tiny.artifact))}\nas_published = true\n"
    )
    chosen = ("--as-published",) if by == "option" else ("--profile", profile)
    ours, theirs = (json.loads(run("--json", *more, path).stdout)["image"] for more in ((), chosen))
    assert (ours["width"], ours["height"]) == (theirs["height"], theirs["width"])
    assert ours["width"] != theirs["width"]
