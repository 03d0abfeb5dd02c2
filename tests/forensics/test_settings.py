"""The loader of settings: one sentence for what is wrong, a warning for what is misspelt."""

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from forensics import settings
from forensics.errors import SettingsError
from forensics.settings import ProjectSettings, load, load_or_exit, misspelt


class Small(ProjectSettings):
    prefixes: ClassVar[tuple[str, ...]] = ("SMALL_",)

    small_batch_size: int = Field(8, ge=1)
    secret: str | None = Field(None, validation_alias="SMALL_SECRET", pattern="^a+$")


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "_warned", set())


def test_a_wrong_value_is_told_by_name_and_never_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_SECRET", "hunter2")
    with pytest.raises(SettingsError, match=r"^The setting SMALL_SECRET is wrong: ") as told:
        load(Small)
    assert "hunter2" not in str(told.value)


def test_an_entry_point_ends_with_code_2_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SMALL_BATCH_SIZE", "0")
    with pytest.raises(SystemExit) as ended:
        load_or_exit(Small)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_misspelt_name_is_warned_of_once_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SMALL_BATCHSIZE", "3")
    assert load(Small).small_batch_size == 8
    load(Small)
    assert capsys.readouterr().err == "Warning: SMALL_BATCHSIZE is not a setting: did you mean SMALL_BATCH_SIZE?\n"


def test_names_in_the_env_file_are_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SMALL_BATCH_SIZE=2\nSMALL_COLOUR=red\nOTHER_THING=1\n")
    assert load(Small).small_batch_size == 2
    assert misspelt(Small) == [("SMALL_COLOUR", "")]
