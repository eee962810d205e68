"""Options that no run can have are refused before any work, in one line."""

import pytest

import hw.compile
import hw.multipliers.__main__
import hw.ppa.__main__
import hw.rtl.boards.__main__
import sim.bench.__main__
import sim.cosim.__main__
import sim.operands
from hw.common import memory
from hw.common.errors import InputError
from hw.rtl.verilog import __main__ as verilog
from tests.command import run_main

EVOLVE = (hw.multipliers.__main__.main, "evolve", "--start", "mul8u_trunc_c4", "--max-error",
          "MAE=1", "--name")
OPERANDS = (sim.operands.main, "-o", "new")
COMPILE = (hw.compile.main, "design.json", "net.onnx")


@pytest.mark.parametrize(("command", "options", "message"), [
    (EVOLVE, ("a/b",), "Multiplier name must be a letter, then up to 63 letters"),
    (EVOLVE, ("a" * 10_000, "-o", "a.json"), "Multiplier name must be a letter"),
    (EVOLVE, ("a", "-o", "folder.json"), "folder.json: output must be a file, not a folder"),
    (EVOLVE, ("a", "-o", "file/a.json"), "file: must be a folder to write a.json to, not a file"),
    (EVOLVE, ("a", "--seeds", "-1"), "--seeds must be from 0 to 2^63 - 1, not -1"),
    (EVOLVE, ("a", "--seeds", str(10**25)), "--seeds must be from 0 to 2^63 - 1, not 1000"),
    (EVOLVE, ("a", "--mutants", str(10**22)), "Mutants must be at most 10,000,000,000"),
    (EVOLVE, ("a", "--spare", str(10**9)), "Spare nodes must be 0 to 10000, not 1000000000"),
    (EVOLVE, ("a", "--price", "inf"), "Price must be at least 0, not inf"),
    (EVOLVE, ("a", "--price", "nan"), "Price must be at least 0, not nan"),
    (EVOLVE, ("a", "--temperature", "nan"), "Temperature must be 0 to 1, not nan"),
    (EVOLVE, ("a", "--again", "a.json", "--catalogue", "b"), "--again must not be combined with"),
    (OPERANDS, ("--beats", "1000000000000"), "--beats 1000000000000 of a layer must fit in "),
    (OPERANDS, ("--beats", "0"), "--beats must be at least 1, not 0"),
    (OPERANDS, ("--seed", "-1"), "--seed must not be negative, not -1"),
    (OPERANDS, ("--limit", "-1"), "--limit must be at least 1, not -1"),
    (OPERANDS, ("-o", "file"), "file: output must be a folder, not a file"),
    (COMPILE, ("--batch", "1000000000"), "--batch must be 1 to 65536, not 1000000000"),
    (COMPILE, ("-o", "folder.json"), "folder.json: output must be a file, not a folder"),
    (COMPILE, ("-o", "a", "--listing", "a"), "a: --listing must not be the program's file"),
    ((sim.cosim.__main__.main,), ("--seed", "-1"), "--seed must not be negative, not -1"),
    ((sim.cosim.__main__.main,), ("--stall", "nan"), "--stall must be 0 to 1, without 1, not nan"),
    ((sim.bench.__main__.main,), ("--repeats", "1000000000"), "--repeats must be at most 1000"),
    ((sim.bench.__main__.main,), ("-o", "folder.json"), "folder.json: output must be a file"),
])
def test_absurd_option_is_refused(monkeypatch, tmp_path, command, options, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory, "_chosen", 8 << 30)
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").write_text("in the way")
    main, *given = command
    with pytest.raises(InputError) as refused:
        run_main(main, monkeypatch, *given, *options)
    assert str(refused.value).startswith(message)
    assert len(str(refused.value)) < 300
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.json"]


@pytest.mark.parametrize(("main", "options", "message"), [
    (verilog.main, ("-o", "file"), "file: output must be a folder, not a file"),
    (verilog.main, ("--pe-files", "file"), "file: output must be a folder, not a file"),
    (verilog.main, ("--act-rows", "1000000000"), "Accelerator act_rows must be an integer"),
    (hw.rtl.boards.__main__.main, ("check", "ulx3s", "--port", "file", "--timeout", "nan"),
     "--timeout must be above 0, not nan"),
    (hw.rtl.boards.__main__.main, ("build", "ulx3s", "--rows", "100000"), "Bank rows must be an"),
    (hw.ppa.__main__.main, ("characterise", "a.lib", "-o", "file/x"), "file: must be a folder to"),
    (hw.ppa.__main__.main, ("map", "a.v", "--top", "a", "-o", "a.v"), "a.v: --output must not rep"),
    (hw.ppa.__main__.main, ("multiplier", "--clock-mhz", "nan"), "--clock-mhz must be above 0"),
])
def test_absurd_argument_is_refused(monkeypatch, tmp_path, main, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError) as refused:
        main(options)
    assert str(refused.value).startswith(message)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
