"""What makes refiners operators of mega_data_factory where it is installed, and lets them stand alone where not."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

FRAMEWORK = "mega_data_factory.framework"
Record = dict[str, Any]


class StandAlone(ABC):
    """The framework's interface, as far as refiners use it."""

    @abstractmethod
    def refine_batch(self, records: list[Record]) -> None:
        """Add the fields to every record, in place."""

    @abstractmethod
    def get_output_schema(self) -> dict[str, Any]:
        """The Arrow type of every field that is added."""

    def process_batch(self, records: list[Record]) -> list[Record | None]:
        """The same records, refined."""
        self.refine_batch(records)
        return list(records)


def refiner_base() -> type:
    """The framework's own base class of refiners, or the one that stands alone."""
    framework = _framework()
    base: type = StandAlone if framework is None else framework.Refiner
    return base


def register(aliases: Mapping[str, type]) -> None:
    """Make classes known to the framework, if it is there, under names that its YAML files can reach."""
    framework = _framework()
    for name, operator in aliases.items() if framework is not None else ():
        framework.OperatorRegistry.register(name, operator)


def _framework() -> Any:
    try:
        return importlib.import_module(FRAMEWORK)
    except ImportError:
        return None
