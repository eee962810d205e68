"""Files that are no multiplier: one line, which names the file, and nothing is written."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.common.errors import InputError
from hw.multipliers import get
from hw.multipliers.importing import blif, cgp, import_file, tables
from hw.multipliers.importing.source import MAX_BYTES, Source
from hw.multipliers.importing.verilog import yosys_json
from tests.hw.multipliers.importing import writers

EXACT = get("mul8u_exact").netlist
TWO = ".model m\n.inputs a0 a1 b0 b1\n.outputs o0 o1\n"
SUMS = np.add.outer(np.arange(256), np.arange(256)).astype("<u2")


def cell(kind, **connections):
    return {"type": kind, "connections": connections}


def module(*cells, output=(9,), **ports):
    bits = {"a": [2, 3], "b": [4, 5]} | ports
    return {"ports": {name: {"direction": "input", "bits": list(nets)}
                      for name, nets in bits.items()}
            | {"o": {"direction": "output", "bits": list(output)}},
            "cells": {f"c{number}": one for number, one in enumerate(cells)}}


def yosys(*args, **kwargs):
    return json.dumps({"modules": {"m": module(*args, **kwargs)}})


@pytest.mark.parametrize(("file", "content", "message"), [
    ("a.txt", "x", ": multiplier file must end in .v, .sv, .blif,"),
    ("a.blif", "", ": must not be empty"),
    ("a.blif", b"x" * (MAX_BYTES + 1), ": must have at most 8 MiB"),
    ("a.blif", ".model m\n.inputs a\0", ":2: text must not hold NUL bytes"),
    ("a.blif", b".model m\n\n.inputs \xff", ":3: text must be UTF-8"),
    ("a.blif", TWO + ".latch a0 o0", ":4: .latch must not be used (a latch)"),
    ("a.blif", TWO + ".gate NAND2 A=a0 Y=o0", ":4: .gate must not be used (a library gate)"),
    ("a.blif", TWO + ".search /etc/passwd", ":4: .search must not be used (another file)"),
    ("a.blif", TWO + ".subckt other x=a0", ":4: model other must be in this file"),
    ("a.blif", TWO + ".subckt m a0=a0", ":4: models must be at most 50 deep"),
    ("a.blif", TWO + ".names a0 b0 o0\n111 1", ":5: cover line must be 2 of 0, 1, - and then"),
    ("a.blif", TWO + ".names a0 b0 o0\n11 1\n00 0", ":6: cover must be of ones or of zeros"),
    ("a.blif", TWO + ".names a0 o0\n1 1\n.names a1 o0\n1 1", ":6: net o0 must have one driver"),
    ("a.blif", TWO + ".names a0 o0\n1 1", ": net o1 must have a driver"),
    ("a.blif", TWO + ".names o1 a0 o0\n11 1\n.names o0 o1\n0 1",
     ": circuit must be combinational, not loop through net o0"),
    ("a.blif", TWO + ".names " + " ".join(f"x{i}" for i in range(18)), ":4: .names must have at "),
    ("a.blif", TWO + ".frob", ":4: .frob is not a construct of combinational BLIF"),
    ("a.blif", TWO + ".names a0\n1", ": input a0 must have no driver inside the model"),
    ("a.blif", TWO.replace("b1", "b1 cin") + ".names o0\n.names o1\n",
     ": circuit must have two operands, not 3 inputs: a, b, cin (--operands can"),
    ("a.blif", TWO.replace("o1", "carry") + ".names o0\n.names carry\n",
     ": circuit must have one product, not 2 outputs: o0, carry"),
    ("a.blif", TWO + ".names o0\n.names o1\n1", ": product must depend on the operands, not be"),
    ("a.cgp", "hello", ":1: chromosome must start with {inputs,outputs,rows,columns,2,1,l-back}"),
    ("a.cgp", "{4,1,1,1,3,1,0}([6]2,4,2)(6)", ":1: chromosome nodes must have 2 inputs and 1"),
    ("a.cgp", "{5,1,1,1,2,1,0}([7]2,4,2)(7)", ":1: chromosome must have 2 to 32 inputs"),
    ("a.cgp", "{4,1,1,2,2,1,0}([6]2,4,2)(6)", ":1: chromosome must have 2 nodes (a,b,f) or"),
    ("a.cgp", "{4,1,1,1,2,1,0}([9]2,4,2)(9)", ":1: chromosome must number its nodes from 6"),
    ("a.cgp", "{4,1,1,2,2,1,0}([6]2,4,2)\n([8]2,4,2)(8)", ":1: chromosome nodes must be numbered"),
    ("a.cgp", "{4,1,1,1,2,1,0}([6]2,6,2)(6)", ":1: chromosome node 6 must read earlier nets"),
    ("a.cgp", "{4,1,1,1,2,1,0}([6]2,4,10)(6)", ":1: chromosome function must be 0 to 9, not 10"),
    ("a.cgp", "{4,1,1,1,2,1,0}([6]2,4,2)(7)", ":1: chromosome output must be a net below 7"),
    ("a.cgp", "{4,2,1,1,2,1,0}([6]2,4,2)(6)", ":1: chromosome must end in its 2 outputs"),
    ("a.cgp", "{4,1,1,999999999,2,1,0}", ":1: chromosome must have at most 200000 nodes"),
    ("a.json", "{", ": not valid JSON"),
    ("a.json", "[" * 100_000, ": not valid JSON"),
    ("a.json", "[]", ": must be a netlist by Yosys write_json, with modules"),
    ("a.json", '{"format": "autoapprox-multiplier/1"}', ": must be a netlist by Yosys write_json, "
     "not a multiplier file, which needs no import"),
    ("a.json", yosys(cell("$_DFF_P_", D=[2], C=[4], Q=[9])),
     ": circuit must be combinational, not hold a register or memory ($_DFF_P_)"),
    ("a.json", yosys(cell("$dlatch", D=[2], EN=[4], Q=[9])),
     ": circuit must be combinational, not hold a latch"),
    ("a.json", yosys(cell("NAND2X1", A=[2], B=[4], Y=[9])),
     ": cell NAND2X1 must be combinational logic that Yosys defines, or a module here"),
    ("a.json", yosys(cell("$div", A=[2], B=[4], Y=[9])), ": div must be of constants"),
    ("a.json", yosys(cell("$_AND_", A=[2], B=["x"], Y=[9])),
     ": port B of cell $_AND_ must not be x (no value"),
    ("a.json", yosys(cell("$_AND_", A=[2], B=[8], Y=[9])), ": an unnamed net must have a driver"),
    ("a.json", yosys(cell("$_AND_", A=[2], B=[9], Y=[9])),
     ": circuit must be combinational, not loop through an unnamed net"),
    ("a.json", yosys(cell("$_AND_", A=[2], B=[3], Y=[4])), ": net must have one driver, not"),
    ("a.json", yosys(cell("$_AND_", A=[2], Y=[9])), ": cell $_AND_ must have port B of one bit"),
    ("a.json", yosys(cell("$_AND_", A=[2, 3], B=[4], Y=[9])), ": cell $_AND_ must have port A of"),
    ("a.json", yosys(cell("$_AND_", A=["2"], B=[4], Y=[9])), ": port A of cell $_AND_ must be net"),
    ("a.json", yosys(a=range(2, 19)), ": operand a must have 1 to 16 bits, not 17"),
    ("a.bin", b"x" * 131_071, ": table must have 131072 bytes (65,536 words of 16 bits), not"),
    ("a.bin", SUMS.tobytes(), ": products are about as near to signed as to unsigned ones; "
     "--signed or --unsigned must say which they are"),
    ("a.bin", bytes(131_072), ": product must depend on the operands, not be constant"),
    ("a.npy", b"PK\3\4", ": must be a NumPy array file"),
    ("a.csv", "1,2\n3\n", ":2: line must have 2 numbers, not 1"),
    ("a.csv", "1,two\n", ":1: product must be an integer, not two"),
    ("a.csv", "1,1e99\n", ":1: product must be an integer, not 1e99"),
    ("a.csv", "1,2\n3,4\n", ": table must have shape (256, 256) or (65536,), not (2, 2)"),
    ("a.csv", "a,b,p\n0,0,0\n", ": table must have each of the 65536 operand pairs once"),
    ("a.csv", "0,999,0\n", ": operands must be 0 to 255, or -128 to 127"),
])
def test_bad_file_is_refused(tmp_path, file, content, message):
    path = tmp_path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}{message}')}") as refused:
        import_file(path, name="mul8u_x")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250 + len(str(path))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("array", "message"), [
    (np.zeros((16, 16), np.int16), "shape (256, 256) or (65536,)"),
    (np.zeros((256, 256), np.float32), "array must hold integers"),
    (np.full((256, 256), 70_000), "products must be 0 to 65535, or -32768 to 32767"),
    (np.array([{"__reduce__": print}], object), "array must hold integers"),
], ids=["small", "real", "large", "objects"])
def test_other_arrays_are_refused(tmp_path, array, message):
    path = tmp_path / "table.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(InputError, match=re.escape(message)):
        import_file(path, name="x")


def test_a_header_without_its_data_allocates_nothing(tmp_path):
    path = tmp_path / "table.npy"
    np.save(path, np.ones((256, 256), np.int64))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"array must have 524288 bytes of data, not 872$"):
        import_file(path, name="x")


@pytest.mark.parametrize(("options", "message"), [
    ({"name": "../x"}, "Multiplier name must be a letter"),
    ({"name": "x\n"}, "Multiplier name must be a letter"),
    ({"order": "w,a"}, "Order must be act,weight or weight,act, not w,a"),
    ({"operands": ("a",)}, "Operands must be two names, not a"),
    ({"operands": ("a", "c")}, "operand must be one of a, b, not c"),
    ({"operands": ("a", "a")}, "operands must be two inputs, not a,a"),
])
def test_bad_argument_is_refused(tmp_path, options, message):
    path = tmp_path / "exact.blif"
    path.write_text(writers.blif(EXACT))
    with pytest.raises(InputError, match=re.escape(message)):
        import_file(path, **{"name": "x"} | options)


def test_folders_and_missing_files_are_refused(tmp_path):
    (tmp_path / "a.v").mkdir()
    with pytest.raises(InputError, match=r"must be a file, not a folder or a device$"):
        import_file(tmp_path / "a.v", name="x")
    with pytest.raises(FileNotFoundError):
        import_file(tmp_path / "b.v", name="x")


def test_a_constant_is_accepted_when_asked_for(tmp_path):
    path = tmp_path / "zero.bin"
    path.write_bytes(bytes(131_072))
    multiplier = import_file(path, name="x", allow_constant=True, signed=False).multiplier
    assert not multiplier.table.any()


READERS = {"blif": blif.read, "cgp": cgp.read, "json": yosys_json.read, "csv": tables.read_csv,
           "npy": tables.read_npy, "bin": tables.read_bin}
TEXTS = {"blif": writers.blif(EXACT)[:3000], "cgp": writers.cgp(EXACT, numbered=True)[:1500],
         "json": writers.yosys_json(get("mul8u_optrunc_a2w1").netlist), "csv": "0,1,2\n3,4,5\n",
         "npy": "\x93NUMPY\x01\0v\0{'descr': '<i2', 'fortran_order': False, "
                "'shape': (256, 256), }", "bin": "xyz"}


@pytest.mark.parametrize("form", READERS)
def test_any_bytes_are_read_or_refused(form):
    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(st.integers(0, len(TEXTS[form])), st.integers(0, 30),
           st.text(alphabet="\0\n .,()[]{}01279x-=\\\"':#\u00e9tru", max_size=12))
    def mutate(start, length, insert):
        text = TEXTS[form][:start] + insert + TEXTS[form][start + length:]
        try:
            READERS[form](Source(path="file", content=text.encode("latin-1")))
        except InputError as error:
            lines.append(str(error))

    lines = []
    mutate()
    assert lines
    assert not any("\n" in line for line in lines)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.sampled_from(
    ["x", "$_AND_", "m", "input", "$add"]), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["type", "connections", "A", "B", "Y", "direction", "bits",
                                       "parameters", "cells", "ports"]), inner, max_size=4)))
def test_any_json_module_is_read_or_refused(value):
    content = json.dumps({"modules": {"m": {"cells": {"c": value}, "ports": {"a": value}},
                                      "n": value}})
    with pytest.raises(InputError, match=r"^file: "):
        yosys_json.read(Source(path="file", content=content.encode()), "m")
