"""Faults that a bench can switch on, to show that it would notice them.

Each is an edit of the emitted Verilog that takes effect while `bench.fault` holds its number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

FAULTY, IDLE = "faulty", "idle"
FIRST_GATE_FAULT = 100
GATE = re.compile(r"assign (n\d+) = (.*);")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Where `pattern` matches in files named like `file`, `replacement` takes its place.

    `ON` in the replacement is true while the fault is on.
    """

    name: str
    file: str
    pattern: str
    replacement: str


# What random tiles must notice. Edits of one file come before edits of the same lines in all.
BANK_FAULTS = (
    Fault(name="two's complement operands swapped", file="pe_broken_signed",
          pattern=r"\.act\((.*)\),(\s+.*\s+)\.weight\((.*)\)",
          replacement=r".act(ON ? \3 : \1),\2.weight(ON ? \1 : \3)"),
    Fault(name="two's complement product not sign-extended", file="pe_broken_signed",
          pattern=r"\$signed\((multiplier__product\S*)\)",
          replacement=r"(ON ? $signed({8'h0, \1}) : $signed(\1))"),
    Fault(name="act sign lost on the way to two's complement", file="array_broken_signed",
          pattern=r"\.operand\(act_in\[(\d+):(\d+)\]\)",
          replacement=r".operand(act_in[\1:\2] & ~{ON, 8'h0})"),
    Fault(name="weight sign lost on the way to two's complement", file="array_broken_signed",
          pattern=r"\.operand\(weight_in\[(\d+):(\d+)\]\)",
          replacement=r".operand(weight_in[\1:\2] & ~{ON, 8'h0})"),
    Fault(name="one's complement", file="twos_complement", pattern=r"\+ operand\[8\]",
          replacement="+ (operand[8] & ~ON)"),
    Fault(name="act reaches the weight port", file="pe_", pattern=r"\.act\((.*)\),",
          replacement=r".act(ON ? weight_out[7:0] : \1),"),
    Fault(name="weight reaches the act port", file="pe_", pattern=r"\.weight\((.*)\)\n",
          replacement=r".weight(ON ? act_out[7:0] : \1)\n"),
    Fault(name="weight sign ignored", file="pe_", pattern=r"negative = (.*);",
          replacement=r"negative = ON ? act_out[8] : \1;"),
    Fault(name="swap token lost in a column", file="pe_", pattern=r"swap_out <= swap_in",
          replacement="swap_out <= swap_in & ~ON"),
    Fault(name="load token lost in a column", file="pe_", pattern=r"load_out <= load_in",
          replacement="load_out <= load_in & ~ON"),
    Fault(name="array clocked in a stall", file="clock_gate", pattern=r"open = en",
          replacement="open = en | ON"),
    Fault(name="ROUTE dropped", file="router", pattern=r"(else if .*) selected <= (\w+);",
          replacement=r"\1 selected <= ON ? selected : \2;"),
    Fault(name="array 1 never enabled", file="router", pattern=r"enable\[1\] = (.*);",
          replacement=r"enable[1] = ~ON & (\1);"),
    Fault(name="unknown ROUTE not flagged", file="router", pattern=r"route_error <= 1'h1",
          replacement="route_error <= ~ON"),
    Fault(name="ROUTE splits a tile", file="bank", pattern=r"\.idle\((.*)\),",
          replacement=r".idle(ON | \1),"),
    Fault(name="last row loaded ahead of its swap", file="bank", pattern=r"reached\[2\] = (.*);",
          replacement=r"reached[2] = ON | \1;"),
    Fault(name="results overwritten in a stall", file="bank", pattern=r"= (\w+ \| results__ready);",
          replacement=r"= ON | \1;"),
    Fault(name="reset leaves beats in flight", file="bank", pattern=r"if \(rst\) in_flight",
          replacement="if (rst & ~ON) in_flight"),
    Fault(name="act skew one cycle short", file="act_skew", pattern=r"lane2\[17:9\]",
          replacement="(ON ? lane2[8:0] : lane2[17:9])"),
)
# What counting toggles must notice.
IDLE_FAULTS = (
    Fault(name="idle array is clocked", file="bank", pattern=r"__en = (\w+) & (router__.*);",
          replacement=r"__en = \1 & (ON | \2);"),
    Fault(name="idle array sees operands", file="bank",
          pattern=r"__act_in = (router__\S*) \?", replacement=r"__act_in = (ON | \1) ?"),
)


def fault_numbers() -> dict[str, int]:
    """Return the value of `bench.fault` that switches on each fault of the two tables."""
    return {fault.name: number
            for number, fault in enumerate(BANK_FAULTS + IDLE_FAULTS, start=1)}


def with_faults(sources: Mapping[str, str]) -> dict[str, str]:
    """Return `sources` with every fault built in, and gate faults in one multiplier."""
    edited = dict(sources)
    numbers = fault_numbers()
    for prefix, faults in ((FAULTY, BANK_FAULTS), (IDLE, IDLE_FAULTS)):
        for fault in faults:
            count = 0
            replacement = fault.replacement.replace("ON", _on(numbers[fault.name]))
            for file in [name for name in edited if name.startswith(f"{prefix}_{fault.file}")]:
                edited[file], found = re.subn(fault.pattern, replacement, edited[file])
                count += found
            assert count, f"fault {fault.name!r} must match the emitted Verilog"
    gates = gate_file(sources)
    for number, gate in enumerate(gate_names(sources), start=FIRST_GATE_FAULT):
        edited[gates] = re.sub(rf"assign {gate} = (.*);", rf"assign {gate} = {_on(number)} ^ (\1);",
                               edited[gates])
    # Without the initial values that emission writes, registers start at random (Verilator)
    # or unknown (Icarus), as they do in silicon.
    return {name: re.sub(r"^(  reg .*?) = \d+'h\w+;", r"\1;", text, flags=re.MULTILINE)
            if name.startswith(f"{FAULTY}_") else text for name, text in edited.items()}


def gate_file(sources: Mapping[str, str]) -> str:
    """Return the file of the multiplier whose gates can be inverted one by one."""
    file, = [name for name in sources if name.startswith(f"{FAULTY}_multiplier_nibble")]
    return file


def gate_names(sources: Mapping[str, str]) -> list[str]:
    """Return the gates that can be inverted; number i is fault `FIRST_GATE_FAULT + i`."""
    return [match[1] for match in GATE.finditer(sources[gate_file(sources)])]


def _on(number: int) -> str:
    return f"(bench.fault == 16'd{number})"
