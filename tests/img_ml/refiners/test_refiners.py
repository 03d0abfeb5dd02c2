"""Refiners: fields in place, null where an image failed, pickled without a model, in tables and in the framework."""

import io
import json
import logging
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from forensics.errors import WeightsError
from forensics.reading.decode import decode
from forensics.registry import Setup
from forensics.types import Measured
from img_ml.detectors.siglip2 import load
from img_ml.networks.embedding_mlp import EmbeddingMlp
from img_ml.refiners import (
    ImageAIGCDetectorRefiner,
    ImageAigcDetectorRefiner,
    ImageSigLIPEmbeddingRefiner,
    ImageSiglipEmbeddingRefiner,
)
from img_ml.refiners.aigc_detector import FLAG, SCORE, embedding_of
from img_ml.refiners.siglip_embedding import default_field
from tests.img_ml.tiny import save_siglip, write_siglip

FIELD = "image_siglip_emb_tiny"
REPOSITORY = "google/siglip2-base-patch16-224"


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (70 + seed, 90, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models") / "siglip2-tiny"
    save_siglip(folder)
    return str(folder)


@pytest.fixture(scope="module")
def embedder(model: str) -> ImageSigLIPEmbeddingRefiner:
    return ImageSigLIPEmbeddingRefiner(model, device="cpu", inference_batch_size=3)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as other tools write it."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("classifier") / "image_aigc_classifier.pth"
    network = EmbeddingMlp(32, (8, 4))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    torch.save({"model_state_dict": network.state_dict(), "epoch": 3}, path)
    return path


def detector(path: Path | str, **settings: Any) -> ImageAIGCDetectorRefiner:
    sizes = {"embedding_dim": 32, "hidden_dims": (8, 4), "device": "cpu"}
    return ImageAIGCDetectorRefiner(FIELD, str(path), **{**sizes, **settings})


def records(count: int = 5) -> list[dict[str, Any]]:
    return [{"id": seed, "image": {"bytes": picture(seed)}} for seed in range(count)]


def test_embeddings_are_those_of_the_detector(tmp_path: Path) -> None:
    write_siglip(tmp_path)
    refiner = ImageSigLIPEmbeddingRefiner(REPOSITORY, device="cpu", weights_dir=str(tmp_path))
    given = records(2)
    refiner.refine_batch(given)
    signals = load(Setup(tmp_path, tier="standard"))([decode(record["image"]["bytes"]) for record in given])
    for record, signal in zip(given, signals, strict=True):
        assert isinstance(signal, Measured)
        np.testing.assert_allclose(record["image_siglip_emb_base_patch16_224"], signal.embedding, atol=1e-6)


def test_an_image_that_failed_gives_null_and_spares_its_neighbours(
    embedder: ImageSigLIPEmbeddingRefiner, caplog: pytest.LogCaptureFixture
) -> None:
    given = records(5)
    given[1]["image"] = {"bytes": b"no image"}
    given[2]["image"] = None
    del given[3]["image"]
    with caplog.at_level(logging.WARNING):
        embedder.refine_batch(given)
    assert [record[FIELD] is None for record in given] == [False, True, True, True, False]
    assert "3 of 5 images could not be embedded" in caplog.text
    alone = records(5)[4:]
    embedder.refine_batch(alone)
    np.testing.assert_allclose(alone[0][FIELD], given[4][FIELD], atol=1e-5)


def test_a_batch_that_the_network_fails_on_is_embedded_one_by_one(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refiner = ImageSigLIPEmbeddingRefiner(model, device="cpu")
    expected = records(3)
    refiner.refine_batch(expected)
    assert refiner._embedder is not None
    network = refiner._embedder._network
    monkeypatch.setattr(
        refiner._embedder, "_network", lambda samples: network(samples) if samples[0].height == 71 else 1 / 0
    )
    given = records(3)
    refiner.refine_batch(given)
    assert [record[FIELD] is None for record in given] == [True, False, True]
    np.testing.assert_allclose(given[1][FIELD], expected[1][FIELD], atol=1e-5)


def test_unit_length_is_a_choice(model: str) -> None:
    lengths = []
    for normalize in (True, False):
        given = records(1)
        ImageSigLIPEmbeddingRefiner(model, device="cpu", normalize=normalize).refine_batch(given)
        lengths.append(np.linalg.norm(given[0][FIELD]))
    assert lengths[0] == pytest.approx(1, abs=1e-5)
    assert abs(lengths[1] - 1) > 0.1


def test_the_field_is_named_after_the_model() -> None:
    assert ImageSigLIPEmbeddingRefiner().feature_field_name == "image_siglip_emb_so400m_patch14_384"
    assert default_field(REPOSITORY) == "image_siglip_emb_base_patch16_224"
    assert ImageSigLIPEmbeddingRefiner(feature_field_name="mine").get_output_schema() == {
        "mine": pa.list_(pa.float32())
    }


def test_the_defaults_are_those_of_the_document() -> None:
    refiner = ImageAIGCDetectorRefiner(embedding_field="e", model_path="m.pth")
    told = {name: value for name, value in vars(refiner).items() if not name.startswith("_") and name != "classifier"}
    assert told == {
        "embedding_field": "e",
        "model_path": "m.pth",
        "model_repo": None,
        "model_filename": "image_aigc_classifier.pth",
        "embedding_dim": 1152,
        "hidden_dims": (512, 128),
        "threshold": 0.5,
        "device": "auto",
        "inference_batch_size": 32,
        "use_fp16": True,
    }
    assert refiner.get_output_schema() == {SCORE: pa.float32(), FLAG: pa.bool_()}


def test_what_cannot_be_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="model_path, or model_repo"):
        ImageAIGCDetectorRefiner("e")
    with pytest.raises(ValueError, match="threshold from 0 to 1"):
        ImageAIGCDetectorRefiner("e", "m.pth", threshold=2)
    with pytest.raises(ValueError, match="at least 1"):
        ImageSigLIPEmbeddingRefiner(inference_batch_size=0)


def test_score_and_flag_follow_the_classifier(embedder: ImageSigLIPEmbeddingRefiner, classifier: Path) -> None:
    given = records(5)
    embedder.refine_batch(given)
    refiner = detector(classifier, inference_batch_size=2)
    refiner.refine_batch(given)
    network = EmbeddingMlp(32, (8, 4)).eval()
    network.load_state_dict(torch.load(classifier, weights_only=True)["model_state_dict"])
    with torch.inference_mode():
        expected = torch.sigmoid(network(torch.tensor([record[FIELD] for record in given])))
    np.testing.assert_allclose([record[SCORE] for record in given], expected, atol=1e-6)
    assert [record[FLAG] for record in given] == (expected > 0.5).tolist()
    lowest, *_, highest = sorted(record[SCORE] for record in given)
    between = (lowest + highest) / 2
    detector(classifier, threshold=between).refine_batch(given)
    assert [record[FLAG] for record in given] == [record[SCORE] > between for record in given]
    assert {record[FLAG] for record in given} == {True, False}


@pytest.mark.parametrize(
    "value",
    [None, [], [0.0] * 32, [1.0] * 31, [float("nan")] * 32, [float("inf")] + [1.0] * 31, "text", ["a"] * 32, 3.0, {}],
    ids=repr,
)
def test_what_is_no_embedding_is_null_and_never_real(classifier: Path, value: object) -> None:
    given = [{FIELD: value}, {FIELD: [0.5] * 32}, {}]
    detector(classifier).refine_batch(given)
    assert [record[SCORE] is None for record in given] == [True, False, True]
    assert [record[FLAG] is None for record in given] == [True, False, True]


@pytest.mark.parametrize("kind", ["bare", "inner", "sequence", "parallel", "safetensors"])
def test_every_way_a_classifier_is_saved_is_read(classifier: Path, tmp_path: Path, kind: str) -> None:
    state = torch.load(classifier, weights_only=True)["model_state_dict"]
    path = tmp_path / ("c.safetensors" if kind == "safetensors" else "c.pth")
    match kind:
        case "bare":
            torch.save(state, path)
        case "inner":
            torch.save({"model_state_dict": state, "facts": {"seed": 1}}, path)
        case "sequence":
            torch.save({name.removeprefix("classifier."): value for name, value in state.items()}, path)
        case "parallel":
            torch.save({f"module.{name}": value for name, value in state.items()}, path)
        case _:
            save_file(state, path)
    given, expected = [{FIELD: [0.5] * 32}], [{FIELD: [0.5] * 32}]
    detector(path).refine_batch(given)
    detector(classifier).refine_batch(expected)
    assert given == expected


def test_a_classifier_that_could_run_code_or_does_not_fit_is_refused(classifier: Path, tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(print))
    for refiner, told in (
        (detector(path), "could run code"),
        (detector(tmp_path / "none.pth"), "There is no classifier"),
        (detector(classifier, hidden_dims=(8,)), "classifier"),
        (detector(classifier, embedding_dim=16), "shape"),
    ):
        with pytest.raises(WeightsError, match=told):
            refiner.refine_batch([{FIELD: [0.5] * 32}])


def test_a_classifier_of_the_hub_is_asked_for_by_its_file(classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def download(repository: str, name: str) -> str:
        asked.append((repository, name))
        if repository != "me/mine":
            raise OSError("outgoing traffic has been disabled\nand more")
        return str(classifier)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    sizes: dict[str, Any] = {"embedding_dim": 32, "hidden_dims": (8, 4), "device": "cpu"}
    given = [{FIELD: [0.5] * 32}]
    ImageAIGCDetectorRefiner(FIELD, model_repo="me/mine", **sizes).refine_batch(given)
    assert asked == [("me/mine", "image_aigc_classifier.pth")]
    assert given[0][SCORE] is not None
    with pytest.raises(WeightsError, match=r"of you/yours cannot be downloaded: outgoing traffic has been disabled$"):
        ImageAIGCDetectorRefiner(FIELD, model_repo="you/yours", **sizes).refine_batch(given)


def test_refiners_are_pickled_by_their_settings_before_and_after_use(model: str, classifier: Path) -> None:
    for refiner in (ImageSigLIPEmbeddingRefiner(model, device="cpu"), detector(classifier)):
        before = pickle.dumps(refiner)
        given = [{"image": {"bytes": picture(0)}, FIELD: [0.5] * 32}]
        refiner.refine_batch(given)
        after = pickle.dumps(refiner)
        assert len(after) == len(before) < 2000
        again = [{"image": {"bytes": picture(0)}, FIELD: [0.5] * 32}]
        pickle.loads(after).refine_batch(again)
        assert again == given


def test_missing_weights_are_an_error_not_a_column_of_nulls(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"python -m img_ml\.weights pull siglip2-so400m"):
        ImageSigLIPEmbeddingRefiner(weights_dir=str(tmp_path)).refine_batch(records(1))
    with pytest.raises(WeightsError, match="There is no SigLIP model 'nobody/nothing'"):
        ImageSigLIPEmbeddingRefiner("nobody/nothing").refine_batch(records(1))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"lacks the file model\.safetensors"):
        ImageSigLIPEmbeddingRefiner(str(tmp_path)).refine_batch(records(1))


def test_an_empty_batch_needs_no_model() -> None:
    nothing: list[dict[str, object]] = []
    ImageSigLIPEmbeddingRefiner("nobody/nothing").refine_batch(nothing)
    ImageAIGCDetectorRefiner("e", "none.pth").refine_batch(nothing)
    assert nothing == []


def test_a_table_gets_typed_columns_with_nulls(embedder: ImageSigLIPEmbeddingRefiner, classifier: Path) -> None:
    given = records(3)
    given[1]["image"] = {"bytes": b"no image"}
    table = detector(classifier)(embedder(pa.Table.from_pylist(given)))
    assert table.column_names == ["id", "image", FIELD, SCORE, FLAG]
    assert table.schema.field(FIELD).type == pa.list_(pa.float32())
    assert (table.schema.field(SCORE).type, table.schema.field(FLAG).type) == (pa.float32(), pa.bool_())
    assert [table[name].null_count for name in (FIELD, SCORE, FLAG)] == [1, 1, 1]
    again = detector(classifier)(table)
    assert again.equals(table)
    empty = embedder(table.slice(0, 0))
    assert (empty.num_rows, empty.schema.field(FIELD).type) == (0, pa.list_(pa.float32()))


def test_columns_of_numpy_are_understood_too(embedder: ImageSigLIPEmbeddingRefiner, classifier: Path) -> None:
    images = np.empty(2, dtype=object)
    images[:] = [{"bytes": picture(0)}, {"bytes": b"no image"}]
    columns = detector(classifier)(embedder({"id": np.arange(2), "image": images}))
    assert list(columns) == ["id", "image", FIELD, SCORE, FLAG]
    assert len(columns[FIELD][0]) == 32
    assert columns[SCORE][1] is None


RAY = """
import json, sys
import pyarrow.parquet as pq, ray
from img_ml.refiners import ImageAIGCDetectorRefiner, ImageSigLIPEmbeddingRefiner

table, model, classifier, field = sys.argv[1:]
ray.init(num_cpus=2, include_dashboard=False)
data = ray.data.from_arrow(pq.read_table(table))
for operator, settings in (
    (ImageSigLIPEmbeddingRefiner, {"model_name": model}),
    (ImageAIGCDetectorRefiner,
     {"embedding_field": field, "model_path": classifier, "embedding_dim": 32, "hidden_dims": (8, 4)}),
):
    data = data.map_batches(
        operator, fn_constructor_kwargs={"device": "cpu", **settings}, batch_format="pyarrow", batch_size=2,
        compute=ray.data.ActorPoolStrategy(size=1),
    )
rows = data.take_all()
print(json.dumps({row["id"]: [row["image_aigc_score"], row["image_is_aigc"]] for row in rows}))
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_ray_data_runs_them(
    model: str, classifier: Path, tmp_path: Path, embedder: ImageSigLIPEmbeddingRefiner
) -> None:
    pytest.importorskip("ray")
    given = records(4)
    given[1]["image"] = {"bytes": b"no image"}
    pq.write_table(pa.Table.from_pylist(given), tmp_path / "images.parquet")
    command = [sys.executable, "-c", RAY, str(tmp_path / "images.parquet"), model, str(classifier), FIELD]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=360)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    embedder.refine_batch(given)
    detector(classifier).refine_batch(given)
    assert found["1"] == [None, None]
    for record in given:
        score, flag = found[str(record["id"])]
        assert flag == record[FLAG]
        assert score is None or score == pytest.approx(record[SCORE], abs=1e-6)


FRAMEWORK = """
import json, pickle, sys, types
from abc import ABC, abstractmethod

framework = types.ModuleType("mega_data_factory.framework")

class Refiner(ABC):
    def __init__(self, collect_rejected=False):
        self._stats = {"input_records": 0}
    def process_batch(self, records):
        self._stats["input_records"] += len(records)
        self.refine_batch(records)
        return list(records)
    @abstractmethod
    def refine_batch(self, records): ...
    @abstractmethod
    def get_output_schema(self): ...

class OperatorRegistry:
    known = {}
    @classmethod
    def register(cls, name, operator):
        cls.known[name] = operator

framework.Refiner, framework.OperatorRegistry = Refiner, OperatorRegistry
sys.modules["mega_data_factory"] = types.ModuleType("mega_data_factory")
sys.modules["mega_data_factory.framework"] = framework
import img_ml.refiners

def named(name):
    return "".join(part.capitalize() for part in name.split("_"))

operator = OperatorRegistry.known[named("image_aigc_detector_refiner")]
refiner = operator(embedding_field="e", model_path=sys.argv[1], embedding_dim=32, hidden_dims=[8, 4], device="cpu")
refiner = pickle.loads(pickle.dumps(refiner))
records = refiner.process_batch([{"e": [0.5] * 32}, {"e": [0.0] * 32}])
print(json.dumps({
    "is": isinstance(refiner, Refiner), "stats": refiner._stats["input_records"],
    "known": sorted(OperatorRegistry.known), "scored": [record["image_aigc_score"] is not None for record in records],
    "embeds": issubclass(OperatorRegistry.known[named("image_siglip_embedding_refiner")], Refiner),
    "torch_first": "transformers" in sys.modules,
}))
"""


def test_they_are_operators_of_the_framework_where_it_is_installed(classifier: Path) -> None:
    """The framework needs a newer Python; this is its interface."""
    ran = subprocess.run(
        [sys.executable, "-c", FRAMEWORK, str(classifier)], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "is": True,
        "stats": 2,
        "known": ["ImageAigcDetectorRefiner", "ImageSiglipEmbeddingRefiner"],
        "scored": [True, False],
        "embeds": True,
        "torch_first": False,
    }


def test_the_aliases_are_the_same_classes() -> None:
    assert ImageAigcDetectorRefiner is ImageAIGCDetectorRefiner
    assert ImageSiglipEmbeddingRefiner is ImageSigLIPEmbeddingRefiner


def test_an_embedding_of_ints_or_of_arrow_is_one_too() -> None:
    assert embedding_of([1] * 4, 4) is not None
    assert embedding_of(np.ones(4, dtype=np.float64), 4) is not None
    assert embedding_of(np.ones((1, 4)), 4) is None
