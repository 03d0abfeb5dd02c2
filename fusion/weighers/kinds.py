"""Every kind of fusion model by name."""

from fusion.weighers import logistic, network, stack, trees
from fusion.weighers.weigher import Kind, WeigherKind

KINDS: dict[Kind, WeigherKind] = {kind.name: kind for kind in (trees.KIND, logistic.KIND, network.KIND, stack.KIND)}
