"""Changes that the operators of cosmic-ray make: other comparisons, sums and numbers, loops that do not run."""

import random
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

from benchmarks.support.mutants.mutant import Mutant

# One replacement for each operator: the others of cosmic-ray's two hundred fall with it.
_COMPARISONS = ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")
_BINARY = ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Mul", "BitAnd_BitOr", "BitOr_BitAnd")
_OPERATORS = (
    *(f"ReplaceComparisonOperator_{name}" for name in _COMPARISONS),
    *(f"ReplaceBinaryOperator_{name}" for name in _BINARY),
    *(f"ReplaceUnaryOperator_Delete_{name}" for name in ("Not", "USub", "Invert")),
    *("ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "AddNot"),
    *("NumberReplacer", "ZeroIterationForLoop", "ReplaceContinueWithBreak", "ReplaceBreakWithContinue"),
)


def generated(file: str, most: int, seed: int) -> list[Mutant]:
    """At most so many changes of the file, in its order; those of decorators and of type annotations are left out."""
    text = Path(file).read_text(encoding="utf-8")
    nodes = list(ast_nodes(get_ast(text)))
    found = []
    for name in _OPERATORS:
        operator = get_operator(f"core/{name}")()
        count = sum(len(list(operator.mutation_positions(node))) for node in nodes)
        for occurrence in range(count):
            changed = mutate_code(text, operator, occurrence)
            if changed is None or changed == text:
                continue
            mutant = Mutant(file, "", changed)
            line = changed.splitlines()[mutant.line - 1].strip()
            if not line.startswith(("@", "def ", "class ")) and "| None" not in line:
                found.append(Mutant(file, f"{name}: {line}", changed))
    if len(found) > most:
        found = random.Random(seed).sample(found, most)
    return sorted(found, key=lambda mutant: mutant.line)
