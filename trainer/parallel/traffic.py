"""What a compiled program sends to other devices, read in its HLO.

A ring sends 2 (R - 1) / R bytes per byte that R devices reduce, the least that is possible.
"""

import re
from typing import Any

import numpy as np

COUNTED = "all-reduce"
COLLECTIVES = (COUNTED, "all-gather", "all-to-all", "reduce-scatter", "collective-permute")
COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.-]+) .*\{$")
INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?[\w.-]+ = (?P<type>\(.*?\)|\S+) (?P<kind>[\w-]+)\(")
CALLED = re.compile(r"(?:calls|to_apply|body|condition)=%?([\w.-]+)")
BRANCHES = re.compile(r"(?:branch_computations=\{(.*?)\}|(?:true|false)_computation=%?([\w.-]+))")
ARRAY = re.compile(r"(pred|[a-z]+\d+)\w*\[([\d,]*)\]")


def all_reduced_bytes(compiled: Any) -> tuple[int, int]:
    """Bytes that collectives of a compiled program work on: those of every call, and those inside of conditionals.

    Raises:
      ValueError: for collectives other than an all-reduce, whose traffic is another.
    """
    always: dict[str, int] = {}
    calls: dict[str, list[tuple[str, bool]]] = {}  # computation: what it calls, and whether in a conditional
    current = entry = ""
    for line in compiled.as_text().splitlines():
        if match := COMPUTATION.match(line):
            current = match[1]
            always[current], calls[current] = 0, []
            entry = current if line.startswith("ENTRY") else entry
        elif match := INSTRUCTION.match(line):
            kind = match["kind"].removesuffix("-start")
            if kind == COUNTED:
                always[current] += _bytes(match["type"])
            elif kind in COLLECTIVES:
                raise ValueError(f"the traffic of {kind} is not counted here")
            elif kind == "conditional":
                names = [name for group in BRANCHES.findall(line) for part in group for name in part.split(",") if name]
                calls[current] += [(name.strip(" %"), True) for name in names]
            else:
                calls[current] += [(name, False) for name in CALLED.findall(line)]

    def count(name: str, inside: bool) -> np.ndarray:
        own = np.array((0, always[name]) if inside else (always[name], 0))
        return sum((count(called, inside or conditional) for called, conditional in calls[name]), own)

    every_call, inside_conditionals = count(entry, False)
    return int(every_call), int(inside_conditionals)


def ring(reduced_bytes: float, replicas: int) -> float:
    """Bytes that each replica sends to reduce so many."""
    return 2 * (replicas - 1) / replicas * reduced_bytes


def _bytes(type_text: str) -> int:
    """Of all arrays in the text of a type."""
    total = 0
    for dtype, shape in ARRAY.findall(type_text):
        bits = 8 if dtype == "pred" else int(re.sub(r"\D", "", dtype))
        total += bits // 8 * int(np.prod([int(n) for n in shape.split(",") if n]))
    return total
