"""The feature table: what the detectors measured of a dataset, row by row, with what evaluation needs to know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from fusion.features import FeatureSchema

Texts = NDArray[np.str_]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """n views of images: `values` (n, f) in schema order, NaN where not measured.

    `image` is the SHA-256 of the file each row is a view of, `view` the view's name. `embeddings` holds (n, d) float32
    for each detector that a head is trained on, rows of NaN where it measured nothing; `marks` tells the weights of the
    learned detectors, by name. `format` is that of the original, `file_format` that of the file here.
    """

    schema: FeatureSchema
    values: NDArray[np.float64]
    label: NDArray[np.int64]
    source: Texts
    kind: Texts
    split: Texts
    generator: Texts
    format: Texts
    file_format: Texts
    image: Texts
    view: Texts
    embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.label)

    def where(self, mask: Mask | NDArray[np.intp]) -> "FeatureTable":
        """The rows of a mask, or of indices."""
        whole = ("schema", "embeddings", "marks")
        kept = {f.name: getattr(self, f.name)[mask] for f in fields(self) if f.name not in whole}
        return replace(self, **kept, embeddings={name: rows[mask] for name, rows in self.embeddings.items()})

    def with_values(self, values: NDArray[np.float64]) -> "FeatureTable":
        """The same rows with other values."""
        return replace(self, values=values)

    def select(self, columns: Mask) -> "FeatureTable":
        """The same rows with only these features."""
        features = tuple(f for f, kept in zip(self.schema.features, columns, strict=True) if kept)
        return replace(self, schema=FeatureSchema(self.schema.version, features), values=self.values[:, columns])

    def of_detectors(self, names: Sequence[str]) -> "FeatureTable":
        """The same rows with only the features and embeddings of these detectors."""
        chosen = self.select(np.array([feature.detector in names for feature in self.schema.features], dtype=bool))
        return replace(chosen, embeddings={name: rows for name, rows in self.embeddings.items() if name in names})

    def aligned(self, schema: FeatureSchema) -> "FeatureTable":
        """The same rows in the order of another schema; what is not here is NaN."""
        place = {name: column for column, name in enumerate(self.schema.names)}
        columns = np.array([place.get(name, -1) for name in schema.names])
        padded = np.concatenate([self.values, np.full((len(self), 1), np.nan)], axis=1)
        return replace(self, schema=schema, values=padded[:, columns])
