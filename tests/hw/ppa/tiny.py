"""A cell library with round numbers, so that results can be worked out by hand.

    cell   area  pin caps        delay (rise / fall at the output)     output slew
    INV    1     A 1 fF          10 + 2 load / 5 + 1 load, ps          20 / 10 ps
    NAND   2     A 1 fF, B 2 fF  A as INV; B 20 + 2 load / 10 + 1 load 20 / 10 ps
    BUF    2     A 1 fF          8 / 8                                 5 / 5 ps
    XOR    3     A, B 1 fF       30 / 30 from either edge              20 / 20 ps
    DFF    10    D 1 fF, CK 1 fF 40 / 50, inverting output             10 / 10 ps; setup 7 / 9,
                                                              hold 4 / 6
    GATE   5     E 1 fF, CK 2 fF setup 15, hold 1

The delays from pin A of NAND grow with the input slew as well, by 0.1 ps per ps. Voltage 1 V, so
C fF charged and discharged once is C fJ. Energies, fJ, rise / fall at the output:
INV 0.3 / 0.1; NAND from A 0.4 / 0.2, from B 0.6 / 0.2, input-only A 0.05 / 0.07.
"""

import gzip
from functools import lru_cache

from hw.ppa.library.characterise import characterise

TABLE = """{kind} (grid) {{
  index_1 ("0, 100");
  index_2 ("0, 10");
  values ("{a}, {b}", "{c}, {d}");
}}
"""


def table(kind, base, per_load=0.0, per_slew=0.0):
    low, high = base, base + 10 * per_load
    more = 100 * per_slew
    return TABLE.format(kind=kind, a=low, b=high, c=low + more, d=high + more)


def timing(pin, sense, rise, fall, slews, kind="combinational", when=None):
    when = f'when : "{when}";' if when else ""
    return f"""timing () {{
  related_pin : "{pin}";
  timing_sense : {sense};
  timing_type : {kind};
  {when}
  {table("cell_rise", *rise)} {table("cell_fall", *fall)}
  {table("rise_transition", slews[0])} {table("fall_transition", slews[1])}
}}
"""


def power(rise, fall, pin=None, rail="VDD", when=None):
    related = f'related_pin : "{pin}";' if pin else ""
    when = f'when : "{when}";' if when else ""
    return f"""internal_power () {{
  {related} related_pg_pin : {rail}; {when}
  rise_power (scalar) {{ values ("{rise}"); }}
  fall_power (scalar) {{ values ("{fall}"); }}
}}
"""


def constraint(kind, rise, fall):
    return f"""timing () {{
  related_pin : "CK"; timing_type : {kind}_rising;
  rise_constraint (grid) {{ index_1 ("0, 100"); index_2 ("0, 100");
    values ("{rise}, {rise}", "{rise}, {rise}"); }}
  fall_constraint (grid) {{ index_1 ("0, 100"); index_2 ("0, 100");
    values ("{fall}, {fall}", "{fall}, {fall}"); }}
}}
"""


def pin(name, cap, body="", attributes=""):
    return (f"pin ({name}) {{ direction : input; capacitance : {cap}; {attributes} {body} }}\n")


def cell(name, area, body, leakage=1000):
    return f"""cell ({name}) {{
  area : {area};
  pg_pin (VDD) {{ pg_type : primary_power; }}
  pg_pin (VSS) {{ pg_type : primary_ground; }}
  leakage_power () {{ value : {leakage}; related_pg_pin : VDD; }}
  leakage_power () {{ value : 77; related_pg_pin : VSS; }}
  {body}
}}
"""


INV_TIMING = timing("A", "negative_unate", (10, 2), (5, 1), (20, 10))
LIBRARY = """/* a comment
   of two lines */
library (tiny) {
  time_unit : "1ps"; // of ours
  capacitive_load_unit (1, ff);
  voltage_unit : "1V";
  leakage_power_unit : "1pW";
  nom_voltage : 1.0;
  nom_temperature : 25
  lu_table_template (grid) { variable_1 : a; variable_2 : b;
    index_1 ("0, 100"); index_2 ("0, \\
10"); }
""" + "".join([
    cell("INV", 1, pin("A", 1) + "pin (Y) { direction : output; function : \"!A\";"
         + INV_TIMING + power(0.3, 0.1, "A") + power(9, 9, "A", rail="VSS") + "}"),
    cell("INV_BIG", 4, pin("A", 4) + "pin (Y) { direction : output; function : \"A'\";"
         + INV_TIMING + power(1, 1, "A") + "}"),
    cell("NAND", 2, pin("A", 1, power(0.05, 0.07)) + pin("B", 2)
         + "pin (Y) { direction : output; function : \"!(A * B)\";"
         + timing("A", "negative_unate", (10, 2, 0.1), (5, 1, 0.1), (20, 10))
         + timing("B", "negative_unate", (20, 2), (10, 1), (20, 10))
         + power(0.4, 0.2, "A") + power(0.5, 0.1, "B", when="A") + power(0.7, 0.3, "B", when="!A")
         + "}"),
    cell("BUF", 2, pin("A", 1) + "pin (Y) { direction : output; function : \"A\";"
         + timing("A", "positive_unate", (8,), (8,), (5, 5)) + power(0.2, 0.2, "A") + "}"),
    cell("XOR", 3, pin("A", 1) + pin("B", 1)
         + "pin (Y) { direction : output; function : \"(A * !B) + (!A * B)\";"
         + "".join(timing(name, sense, (30,), (30,), (20, 20), when=when)
                   for name, other in (("A", "B"), ("B", "A"))
                   for sense, when in (("positive_unate", f"!{other}"), ("negative_unate", other)))
         + power(1, 1, "A") + power(1, 1, "B") + "}"),
    cell("DFF", 10, "ff (IQ, IQN) { clocked_on : \"CK\"; next_state : \"D\"; }"
         + pin("D", 1, constraint("setup", 7, 9) + constraint("hold", 4, 6)
               + power(0.5, 0.7, when="!CK") + power(8, 8, when="CK"))
         + pin("CK", 1, power(0.2, 0.3, when="D * !QN") + power(0.2, 0.3, when="!D * QN")
               + power(0, 8, when="D * QN"), "clock : true;")
         + "pin (QN) { direction : output; function : \"IQN\";"
         + timing("CK", "non_unate", (40,), (50,), (10, 10), "rising_edge")
         + power(1.2, 1.6, "CK") + "}"),
    cell("DFFR", 8, "ff (IQ, IQN) { clocked_on : \"CK\"; next_state : \"D\"; clear : \"!R\"; }"
         + pin("D", 1) + pin("CK", 1) + pin("R", 1)
         + "pin (Q) { direction : output; function : \"IQ\"; }"),
    cell("GATE", 5, "clock_gating_integrated_cell : latch_posedge;"
         + pin("E", 1, constraint("setup", 15, 15) + constraint("hold", 1, 1),
               "clock_gate_enable_pin : true;")
         + pin("CK", 2, power(0.1, 0.2, when="!E * !GCK") + power(5, 5, when="E * !GCK"),
               "clock_gate_clock_pin : true;")
         + "pin (GCK) { direction : output; clock_gate_out_pin : true;"
         + power(0.6, 0.4, "CK", when="E") + power(7, 7, "CK", when="!E") + "}"),
]) + "}\n"


def adder_output(name, function):
    return (f'pin ({name}) {{ direction : output; function : "{function}"; '
            + "".join(timing(source, "non_unate", (30, 1), (30, 1), (20, 20))
                      + power(0.5, 0.5, source) for source in "ABC") + "}")


ADDER = cell("FA", 7, "".join(pin(name, 2) for name in "ABC")
             + adder_output("S", "A ^ B ^ C") + adder_output("CO", "!(A*B + A*C + B*C)"))


@lru_cache
def tiny_with_adder(folder):
    """Return the characterised library and a full adder whose carry is inverted."""
    path = folder / "adder.lib"
    path.write_text(LIBRARY.rstrip()[:-1] + ADDER + "}")
    return characterise([path], name="adder", drives=1)


@lru_cache
def tiny_technology(folder):
    """Return the characterised library; `folder` is where its files go."""
    path = folder / "tiny.lib.gz"
    path.write_bytes(gzip.compress(LIBRARY.encode()))
    return characterise([path], name="tiny", drives=1)
