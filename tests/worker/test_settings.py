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
    assert load(WorkerSettings).callback_allow == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [("WORKER_BATCH_SIZE", "0"), ("WORKER_BATCH_SIZE", "many"), ("REDIS_CHECK_RATE", "0"), ("WORKER_LEASE_S", "-1"),
     ("REDIS_URL", "localhost:6379"), ("FETCH_ALLOW", "store.internal"), ("CALLBACK_ALLOW", "store.internal"),
     ("FETCH_USER_AGENT", "a\r\nb"), ("FETCH_USER_AGENT", " "), ("FETCH_ALLOW", "a:99999"),
     ("FETCH_MAX_BYTES", "0"), ("WORKER_RESULTS_MAXLEN", "-5"), ("CALLBACK_MAX_ATTEMPTS", "0"),
     ("CALLBACK_CONCURRENCY", "0"), ("CALLBACK_TIMEOUT_S", "0"), ("REDIS_URL", "redis://localhost:port"),
     ("REDIS_URL", "redis://:pass/word@localhost:6379"), ("REDIS_URL", "redis://localhost?no_such_option=1"),
     ("REDIS_URL", "redis+cluster://localhost:99999"), ("WORKER_STREAM", "a,b,a"), ("WORKER_STREAM", ","),
     ("WORKER_RESULTS", "a,b"), ("WORKER_RESULTS", "stream:ai:imageml:jobs"), ("WORKER_ONCE_S", "-1"),
     ("WORKER_VERDICT_CACHE_S", "-1")],
)  # fmt: skip
def test_a_bad_setting_ends_in_a_sentence_that_names_it_and_exit_code_2(monkeypatch, capsys, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load(WorkerSettings)
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert told.out == ""
    assert told.err.startswith(f"Error: The setting {name} is wrong: ")
    assert told.err.count("\n") == 1
    assert "pass" not in told.err.replace("password", "")


@pytest.mark.parametrize("streams", ["a:jobs", "{a}:jobs,b:jobs", "{}a:jobs"])
def test_on_a_cluster_streams_without_a_common_hash_tag_are_refused(monkeypatch, capsys, streams):
    monkeypatch.setenv("REDIS_URL", "redis+cluster://localhost:7000")
    monkeypatch.setenv("WORKER_STREAM", streams)
    monkeypatch.setenv("WORKER_RESULTS", ",".join(one.replace("jobs", "results") for one in streams.split(",")))
    with pytest.raises(SystemExit):
        load(WorkerSettings)
    assert "one hash tag" in capsys.readouterr().err


def test_on_a_cluster_the_default_streams_are_refused_and_tagged_ones_are_not(monkeypatch, capsys):
    monkeypatch.setenv("REDIS_URL", "redis+cluster://localhost:7000")
    with pytest.raises(SystemExit):
        load(WorkerSettings)
    assert capsys.readouterr().err.startswith("Error: The setting WORKER_RESULTS is wrong: on a cluster")
    monkeypatch.setenv("WORKER_STREAM", "{a}:jobs,{b}:jobs")
    monkeypatch.setenv("WORKER_RESULTS", "{a}:results,{b}:results")
    assert load(WorkerSettings).queues == (("{a}:jobs", "{a}:results"), ("{b}:jobs", "{b}:results"))


def test_usable_addresses_of_redis_are_taken(monkeypatch):
    for url in ("redis://u:p%40%2F@h:1/2", "rediss://h?ssl_ca_certs=a.pem", "unix:///a.sock"):
        monkeypatch.setenv("REDIS_URL", url)
        assert load(WorkerSettings).redis_url == url


def test_the_callback_secret_does_not_show(monkeypatch):
    monkeypatch.setenv("CALLBACK_SECRET", "s3cret")
    settings = load(WorkerSettings)
    assert settings.callback_secret.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


def test_standard_webhooks_need_a_secret_of_their_kind(monkeypatch, capsys):
    monkeypatch.setenv("CALLBACK_SIGNATURE", "standard")
    for secret, told in (("", "CALLBACK_SECRET is not set"), ("s3cret", "CALLBACK_SECRET does not fit")):
        monkeypatch.setenv("CALLBACK_SECRET", secret)
        with pytest.raises(SystemExit):
            load(WorkerSettings)
        said = capsys.readouterr().err
        assert told in said
        assert "s3cret" not in said
    monkeypatch.setenv("CALLBACK_SECRET", "whsec_" + "A" * 32)
    assert load(WorkerSettings).callback_signature == "standard"


def test_streams_share_by_their_weights(monkeypatch):
    monkeypatch.setenv("WORKER_STREAM", "urgent:jobs=4,jobs=1, a=b:jobs")
    settings = load(WorkerSettings)
    assert [jobs for jobs, _ in settings.queues] == ["urgent:jobs", "jobs", "a=b:jobs"]
    assert [settings.share(32, jobs) for jobs in settings.job_streams] == [21, 5, 5]
    assert [settings.share(3, jobs) for jobs in settings.job_streams] == [2, 1, 1]


@pytest.mark.parametrize("streams", ["jobs=4,jobs", "jobs=4,jobs=1"])
def test_a_stream_with_two_weights_is_named_twice(monkeypatch, streams):
    monkeypatch.setenv("WORKER_STREAM", streams)
    with pytest.raises(SystemExit):
        load(WorkerSettings)


@pytest.mark.parametrize("url", ["redis://:12#34s3cret@host:6379/0", "redis+sentinel://h/m#s3cret", "unix:///a#s3cret"])
def test_a_fragment_of_a_redis_url_is_refused_and_not_told(monkeypatch, url, capsys):
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(SystemExit) as end:
        load(WorkerSettings)
    told = capsys.readouterr().err
    assert end.value.code == 2
    assert "REDIS_URL" in told
    assert "12" not in told
    assert "s3cret" not in told
