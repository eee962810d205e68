"""Programs: what is emitted, that it round-trips, and that every layer has its ROUTE."""

from types import SimpleNamespace

import pytest

from hw.common.errors import InputError
from hw.machine.accelerator import ROWS_PER_BANK, AcceleratorConfig
from hw.machine.compiler import Program, check_batch, compile_program, routes
from hw.machine.design import BankConfig, Design
from hw.machine.isa import Instruction, Opcode
from hw.multipliers import get
from tests.circuits import small_design
from tests.mutations import check_reader


def layer(name, k, n, positions, groups=1, *, raw=False):
    return SimpleNamespace(
        name=name, k=k, n=n, positions=positions, groups=groups, act_zero_point=3,
        act_signed=True, weight_range=(-127, 127), image_weights=False,
        requantizer=None if raw else SimpleNamespace(zero_point=-7, low=-128, high=127))


LAYERS = (layer("a", 9, 7, 5), layer("b", 4, 3, 2, groups=2), layer("c", 1, 1, 6000))
MAPPING = {"a": 1, "b": 0, "c": 2}


def test_a_tiny_layer_worked_by_hand():
    program = compile_program([layer("a", 5, 3, 2)], small_design(mapping={"a": 1}))
    assert [str(instruction) for instruction in program.instructions] == [
        "CONFIGURE act_zero_point=3",
        "CONFIGURE act_signed=1",
        "CONFIGURE out_zero_point=-7",
        "CONFIGURE out_low=-128",
        "CONFIGURE out_high=127",
        "ROUTE array=1",
        "LOAD_WEIGHTS tile=0 constants=0",
        "DMA_IN host=0 act=0 beats=2",
        "DMA_IN host=2 act=2 beats=2",
        "MATMUL act=0 acc=0 beats=2 accumulate=0",
        "LOAD_WEIGHTS tile=1 constants=0",
        "MATMUL act=2 acc=0 beats=2 accumulate=1",
        "LOAD_WEIGHTS tile=0 constants=1",
        "ACTIVATE acc=0 out=0 beats=2 raw=0",
        "DMA_OUT host=0 out=0 beats=2",
        "SYNC layer=0",
        "HALT",
    ]


def test_weights_of_every_image_are_a_tile_of_their_own():
    """Two images of two groups: four tiles, and the constants of each group for both images."""
    one = layer("a", 4, 3, 5, groups=2)
    one.image_weights = True
    program = compile_program([one], small_design(mapping={"a": 1}), batch=2)
    assert [tile.group for tile in program.tiles] == [0, 1, 2, 3]
    assert [tile.group for tile in program.constants] == [0, 1, 0, 1]
    beats = [code.c for code in program.instructions if code.opcode == Opcode.MATMUL]
    assert beats == [5] * 4
    sent = [code.a for code in program.instructions if code.opcode == Opcode.DMA_OUT]
    assert sent == [0, 5, 10, 15]


def test_program_survives_a_round_trip_through_its_file(tmp_path):
    program = compile_program(LAYERS, small_design(mapping=MAPPING), batch=2)
    program.save(tmp_path / "program.json")
    assert Program.load(tmp_path / "program.json") == program


def test_the_routes_in_the_program_are_the_mapping():
    assert routes(compile_program(LAYERS, small_design(mapping=MAPPING))) == MAPPING


def test_long_layers_are_cut_to_the_accumulators():
    program = compile_program(LAYERS, small_design(mapping=MAPPING), batch=2)
    beats = [i.c for i in program.instructions if i.opcode == Opcode.MATMUL]
    assert max(beats) == ROWS_PER_BANK
    assert beats[-6:] == [2048] * 5 + [12000 - 5 * 2048]


@pytest.mark.parametrize(("mapping", "message"), [
    ({"a": 0, "b": 0}, "^Layer 'c' must be mapped to an array of the design$"),
    ({**MAPPING, "aa": 0}, "^Unknown layer 'aa'; did you mean 'a'"),
])
def test_mappings_that_do_not_fit_the_network_are_refused(mapping, message):
    with pytest.raises(InputError, match=message):
        compile_program(LAYERS, small_design(mapping=mapping))


@pytest.mark.parametrize("raw", [False, True])
def test_a_batch_is_refused_exactly_where_instructions_do_not_reach(raw):
    """Two k-slices, rows in passes: the last batch that is accepted compiles, one more does not."""
    design = small_design(mapping={"a": 1})
    wide = layer("a", 5, 3, 4096, raw=raw)
    first = next(batch for batch in range(1, 5000) if refusal([wide], design, batch))
    assert refusal([wide], design, first).startswith(
        "Batch must leave the rows of layer 'a' below 16,777,216")
    compile_program([wide], design, batch=first - 1)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("hw.machine.compiler.check_batch", lambda *_anything: None)
        with pytest.raises(InputError, match=r"^DMA_(IN|OUT) host must be below 16777216, not"):
            compile_program([wide], design, batch=first)


def refusal(layers, design, batch):
    """Return why a batch is refused, empty where it is not."""
    try:
        check_batch(layers, design.bank, batch)
    except InputError as error:
        return str(error)
    return ""


def test_a_program_that_memory_does_not_hold_is_refused(monkeypatch):
    monkeypatch.setattr("hw.common.memory._chosen", 2**20)
    with pytest.raises(InputError, match=r"^Program for a batch of 999 must fit in 1 MiB"):
        check_batch([layer("a", 9, 7, 5000)], small_design(mapping={"a": 1}).bank, 999)


def test_layers_are_refused_on_arrays_that_do_not_take_their_operands():
    names = ("mul8u_exact", "mul8s_exact")
    design = Design(name="mixed", multipliers={name: get(name) for name in names},
                    bank=BankConfig(arrays=names), mapping={"a": 1})
    with pytest.raises(InputError, match=r"^Layer 'a' must have activations from -128 to 127 to run"
                       r" on 'mul8s_exact', a signed multiplier, not from -131 to 124$"):
        compile_program([layer("a", 9, 7, 5)], design)
    symmetric = layer("a", 9, 7, 5)
    symmetric.act_zero_point = 0
    assert routes(compile_program([symmetric], design)) == {"a": 1}
    symmetric.weight_range = (-3, 128)
    with pytest.raises(InputError, match=r"'a' must have weights .* not from -3 to 128$"):
        compile_program([symmetric], design)


def test_cycles_follow_the_timing_of_the_bank():
    design = small_design(mapping={"a": 1})
    bank = design.bank
    long = compile_program([layer("a", 5, 3, 100)], design)
    assert long.cycles() == 2 * 100 + bank.route_cycles
    short = compile_program([layer("a", 5, 3, 2)], design)  # waits for the second tile's weights
    assert short.cycles() == bank.fill_cycles + 2 + bank.route_cycles


def test_a_damaged_program_is_refused_by_name_or_read(tmp_path):
    content = {"format": "autoapprox-program/2", "batch": 1, "layers": ["a"],
               "bank": {"rows": 4, "cols": 4, "psum_width": 24, "arrays": ["mul8u_exact"]},
               "accelerator": AcceleratorConfig().to_dict(), "tiles": [["a", 0, 0, 0]],
               "constants": [["a", 0, 0]], "assembly": ["HALT"],
               "words": [f"{Instruction(Opcode.HALT).encode():016x}"]}
    check_reader(Program.load, content, tmp_path / "p.json", most=200)
