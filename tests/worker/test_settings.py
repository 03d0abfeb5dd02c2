"""Settings from the environment, and what a bad one says."""

import pytest

from worker.settings import WorkerSettings, load


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in WorkerSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_every_setting_has_a_default_and_a_description():
    settings = load(WorkerSettings)
    assert settings.queues == (("stream:ai:imageml:jobs", "stream:ai:imageml:results"),)
    assert settings.decode_processes >= 1
    assert all(field.description for field in WorkerSettings.model_fields.values())


def test_an_empty_redis_url_counts_as_unset(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "")
    assert load(WorkerSettings).redis_url is None


def test_a_dotenv_file_is_read_and_the_environment_wins(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("WORKER_GROUP=from_file\nWORKER_BATCH_SIZE=3\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("WORKER_BATCH_SIZE", "4")
    settings = load(WorkerSettings)
    assert (settings.worker_group, settings.worker_batch_size) == ("from_file", 4)


def test_allowed_places_are_split_and_lowered(monkeypatch):
    monkeypatch.setenv("FETCH_ALLOW", "Store.Internal:9000, 127.0.0.1:80\n[::1]:8000")
    assert load(WorkerSettings).fetch_allow == ("store.internal:9000", "127.0.0.1:80", "[::1]:8000")


@pytest.mark.parametrize(
    ("name", "value"),
    [("WORKER_BATCH_SIZE", "0"), ("WORKER_BATCH_SIZE", "many"), ("REDIS_CHECK_RATE", "0"), ("WORKER_LEASE_S", "-1"),
     ("REDIS_URL", "localhost:6379"), ("FETCH_ALLOW", "store.internal"), ("FETCH_ALLOW", "a:99999"),
     ("FETCH_MAX_BYTES", "0"), ("WORKER_RESULTS_MAXLEN", "-5"), ("CALLBACK_MAX_ATTEMPTS", "0"),
     ("CALLBACK_CONCURRENCY", "0"), ("CALLBACK_TIMEOUT_S", "0")],
)  # fmt: skip
def test_a_bad_setting_ends_in_a_sentence_that_names_it_and_exit_code_2(monkeypatch, capsys, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load(WorkerSettings)
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert told.out == ""
    assert told.err.startswith(f"The setting {name} is wrong: ")
    assert told.err.count("\n") == 1


def test_the_callback_secret_does_not_show(monkeypatch):
    monkeypatch.setenv("CALLBACK_SECRET", "s3cret")
    settings = load(WorkerSettings)
    assert settings.callback_secret.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)
