"""The base of the refiners: records in place, batches of Ray Data, and a model that each process loads for itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from img_ml.refiners.framework import Record, refiner_base

if TYPE_CHECKING:
    import pyarrow

_Base: Any = refiner_base()


class Refiner(_Base):  # type: ignore[misc]  # the framework declares no types here
    """Adds fields to records; None where an image failed, never a value that means something.

    It is pickled by its settings alone: whatever `_forgotten` names is loaded again where it is needed.
    """

    _forgotten: tuple[str, ...] = ()

    def refine_batch(self, records: list[Record]) -> None:
        """Add the fields of `get_output_schema` to every record, in place."""
        raise NotImplementedError

    def get_output_schema(self) -> dict[str, Any]:
        """The Arrow type of every field that is added."""
        raise NotImplementedError

    def __call__(self, batch: Any) -> Any:
        """A batch of Ray Data with the fields added: a pyarrow.Table, or a mapping of columns.

        Take `batch_format="pyarrow"`: it alone tells null from NaN.
        """
        if isinstance(batch, Mapping):
            return self._columns(batch)
        return self._table(batch)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, **dict.fromkeys(self._forgotten)}

    def _table(self, table: "pyarrow.Table") -> "pyarrow.Table":
        import pyarrow as pa

        records = table.to_pylist()
        self.refine_batch(records)
        for name, kind in self.get_output_schema().items():
            column = pa.array([record[name] for record in records], kind)
            place = table.schema.get_field_index(name)
            table = table.append_column(name, column) if place < 0 else table.set_column(place, name, column)
        return table

    def _columns(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        import numpy as np

        rows = zip(*columns.values(), strict=True)
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        self.refine_batch(records)
        found = dict(columns)
        for name in self.get_output_schema():
            found[name] = np.empty(len(records), dtype=object)
            found[name][:] = [record[name] for record in records]
        return found
