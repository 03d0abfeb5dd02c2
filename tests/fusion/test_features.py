"""The feature schema: order, round trip, NaN for what was skipped, refusal of changed detectors."""

import dataclasses

import numpy as np
import pytest

from forensics.errors import ArtifactError
from forensics.examine import analyzers  # noqa: F401 - registers the analyzers
from forensics.registry import entries, get
from forensics.types import Evidence, Measured, Skipped
from fusion.features import SCHEMA_VERSION, Feature, FeatureSchema, schema_of, vector

DETECTORS = ("ela", "noise")


def test_the_schema_holds_the_offered_numbers_in_order() -> None:
    names = schema_of(DETECTORS).names
    offered = [n.name for d in DETECTORS for n in get(d).spec.numbers if n.feature]
    assert list(names) == offered
    assert "ela_outlier_share" not in names


def test_a_schema_survives_json_and_keeps_its_digest() -> None:
    schema = schema_of(DETECTORS)
    again = FeatureSchema.from_dict(schema.to_dict())
    assert again == schema
    assert again.digest() == schema.digest() != schema_of(("ela",)).digest()


def test_a_skipped_detector_is_nan_never_a_number() -> None:
    schema = schema_of(DETECTORS)
    ela = Measured("ela", {n.name: 1.5 for n in get("ela").spec.numbers}, "s")
    values = vector(schema, Evidence("0" * 64, "image/png", 9, 9, (ela, Skipped("noise", "r")))).values
    from_ela = np.array([f.detector == "ela" for f in schema.features])
    assert np.all(values[from_ela] == 1.5)
    assert np.all(np.isnan(values[~from_ela]))


def test_a_changed_detector_version_is_refused() -> None:
    schema = schema_of(DETECTORS)
    older = tuple(dataclasses.replace(f, detector_version=0) for f in schema.features)
    with pytest.raises(ArtifactError, match="retrain"):
        FeatureSchema(schema.version, older).check_detectors()


def test_no_number_of_the_files_metadata_can_be_weighed() -> None:
    readers = [entry.spec for entry in entries() if entry.spec.reads == "metadata"]
    assert {"exif", "provenance"} <= {spec.name for spec in readers}
    for spec in readers:
        assert schema_of([spec.name]).features == ()
        old = Feature(spec.numbers[0].name, spec.name, spec.version, "m", "a")
        with pytest.raises(ArtifactError, match="metadata"):
            FeatureSchema(SCHEMA_VERSION, (old,)).check_detectors()


@pytest.mark.parametrize("content", [{}, {"version": 99, "features": []}, {"version": 1, "features": [{"name": 1}]}])
def test_a_foreign_schema_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ArtifactError):
        FeatureSchema.from_dict(content)
