"""What accompanies the Verilog of a design: constraints, packaging, lint waivers, a C++ example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill

from hw.machine.design import Design
from hw.machine.pe.operand_format import STREAM

# Every unit of an accelerator with exact PEs of any form meets it in asap7; `python -m hw.ppa
# units` says what a design needs.
CLOCK_PS = 1500.0
IO_SHARE = 0.2  # of the clock period, that inputs and outputs spend outside

# Verilator's style warnings that Yosys' Verilog raises, and why each is harmless.
WAIVERS = {
    "WIDTHEXPAND": "constants are written as narrow as they are; operands extend as meant",
    "WIDTHTRUNC": "a multi-bit value is tested against zero, or a result assigned to fewer bits",
    "UNUSEDSIGNAL": "bits of a port or of an intermediate result that this configuration ignores",
    "CASEOVERLAP": "the first matching item of a priority case counts",
    "LATCH": "a clock gate holds its enable while the clock is high",
    "PROCASSINIT": "registers have initial values for FPGAs; reset sets those that need one",
}


def companions(design: Design, top: str, sources: Sequence[str], ports: Mapping[str, bool], *,
               prefix: str = "", clock_ps: float = CLOCK_PS) -> dict[str, str]:
    """Return further files of a design by name; `top` and `sources` are those of the Verilog.

    ports : of the top module but clk and rst, to whether they are inputs. clock_ps : period.
    """
    return {
        f"{top}.f": "".join(f"{name}\n" for name in sources),
        f"{top}.sdc": _constraints(ports, clock_ps),
        f"{top}.core": _fusesoc(design, top, sources, prefix),
        f"{prefix}lint.vlt": _waivers(),
        f"{prefix}tile.cpp": _example(design, prefix),
    }


def _constraints(ports: Mapping[str, bool], clock_ps: float) -> str:
    inputs = ["rst", *(name for name, is_input in ports.items() if is_input)]
    outputs = [name for name, is_input in ports.items() if not is_input]
    outside = f"{IO_SHARE * clock_ps:.1f}"
    return f"""# Tools check set_units against their own, those of the library: these are asap7's.
# For a library in ns, give the tool ps first (OpenSTA: set_cmd_units -time ps -capacitance fF).
# The period is that of the slowest unit: python -m hw.ppa units
set_units -time ps -capacitance fF
create_clock -name clk -period {clock_ps:.1f} [get_ports clk]
set_input_delay {outside} -clock clk [get_ports {_listed(inputs)}]
set_output_delay {outside} -clock clk [get_ports {_listed(outputs)}]
"""


def _listed(ports: Sequence[str]) -> str:
    """Return a list of Tcl; the name of a vector stands for all of its bits."""
    return "{" + fill(" ".join(ports), 99, initial_indent="\n  ", subsequent_indent="  ") + "}"


def _fusesoc(design: Design, top: str, sources: Sequence[str], prefix: str) -> str:
    files = "".join(f"      - {name}\n" for name in sources)
    core = "".join(letter if letter.isalnum() else "_" for letter in design.name.lower())
    return f"""CAPI=2:
name: "::autoapprox_{core}:0"
description: "{top} of design {design.name}"

filesets:
  rtl:
    files:
{files}    file_type: verilogSource
  waivers:
    files:
      - {prefix}lint.vlt: {{file_type: vlt}}

targets:
  default: &default
    filesets: [rtl]
    toplevel: {top}
  lint:
    <<: *default
    filesets: [rtl, waivers]
    default_tool: verilator
    tools:
      verilator:
        mode: lint-only
        verilator_options: [-Wall]
"""


def _waivers() -> str:
    rules = "".join(f"// {reason}\nlint_off -rule {rule}\n" for rule, reason in WAIVERS.items())
    return f"`verilator_config\n{rules}"


def _example(design: Design, prefix: str) -> str:
    bank = design.bank
    arrays = "".join(f"//   {index}  {' '.join(multiplier.name.split())}\n"
                     for index, multiplier in enumerate(design.arrays))
    return f"""// Multiplies a random tile on every array of `{prefix}bank`; prints sums and errors.
//
//   verilator --cc --exe --build --top-module {prefix}bank {prefix}lint.vlt *.v \\
//     {prefix}tile.cpp && obj_dir/V{prefix}bank
//
// Arrays:
{arrays}#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "V{prefix}bank.h"

constexpr int ROWS = {bank.rows}, COLS = {bank.cols}, ARRAYS = {len(bank.arrays)};
constexpr int PSUM_BITS = {bank.psum_width}, OPERAND_BITS = {STREAM.width};
#define PORT(stream, part) bank.stream##___05F##part  // how Verilator spells stream__part

template <typename Port> void set(Port& port, int first, int count, unsigned value) {{
    auto* bytes = reinterpret_cast<unsigned char*>(&port);
    for (int bit = first; bit < first + count; ++bit, value >>= 1)
        bytes[bit / 8] = (bytes[bit / 8] & ~(1 << bit % 8)) | (value & 1) << bit % 8;
}}
template <typename Port> int get(const Port& port, int first, int count) {{
    const auto* bytes = reinterpret_cast<const unsigned char*>(&port);
    unsigned value = 0;
    for (int bit = 0; bit < count; ++bit)
        value |= (bytes[(first + bit) / 8] >> (first + bit) % 8 & 1u) << bit;
    return int(value << (32 - count)) >> (32 - count);
}}
unsigned operand(int value) {{ return std::abs(value) | (value < 0) << 8; }}  // sign, magnitude

int main() {{
    V{prefix}bank bank;
    auto tick = [&] {{  // inputs settle while the clock is low: the latches of clock gates see them
        bank.eval(); bank.clk = 1; bank.eval(); bank.clk = 0; bank.eval();
    }};
    auto send = [&](auto& valid, const auto& ready) {{
        for (valid = 1, bank.eval(); !ready; bank.eval()) tick();
        tick();
        valid = 0;
    }};
    bank.rst = 1, tick(), bank.rst = 0;
    PORT(results, ready) = 0;
    for (int array = 0; array < ARRAYS; ++array) {{
        int act[ROWS], weight[ROWS][COLS];
        PORT(route, payload) = array;
        send(PORT(route, valid), PORT(route, ready));
        for (int row = ROWS - 1; row >= 0; --row) {{  // the bottom row first
            std::printf("weights");
            for (int col = 0; col < COLS; ++col) {{
                std::printf(" %d", weight[row][col] = std::rand() % 255 - 127);
                set(PORT(weights, payload), col * OPERAND_BITS, OPERAND_BITS,
                    operand(weight[row][col]));
            }}
            std::printf("\\n");
            send(PORT(weights, valid), PORT(weights, ready));
        }}
        std::printf("act");
        for (int row = 0; row < ROWS; ++row) {{
            std::printf(" %d", act[row] = std::rand() % 255 - 127);
            set(PORT(acts, payload), row * OPERAND_BITS, OPERAND_BITS, operand(act[row]));
        }}
        std::printf("\\n");
        set(PORT(acts, payload), ROWS * OPERAND_BITS, 1, 1);  // the first beat of a tile
        send(PORT(acts, valid), PORT(acts, ready));
        while (!PORT(results, valid)) tick();
        for (int col = 0; col < COLS; ++col) {{
            int exact = 0, sum = get(PORT(results, payload), col * PSUM_BITS, PSUM_BITS);
            for (int row = 0; row < ROWS; ++row) exact += act[row] * weight[row][col];
            std::printf("array %d column %d: sum %d, exact %d, error %d\\n", array, col, sum, exact,
                        sum - exact);
        }}
        PORT(results, ready) = 1, tick(), PORT(results, ready) = 0;
    }}
}}
"""
