"""Why some mutants cannot be noticed: they do what the design does, or what nobody can see.

Temporary wires are numbered by Yosys and differ from size to size, so the patterns avoid them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.hw.rtl.mutation.mutants import Mutant


@dataclass(frozen=True)
class Explanation:
    """Mutants of one kind.

    pattern : of `str(mutant)`, from its start. plain : it holds for PEs of one term alone.
    """

    reason: str
    pattern: str
    plain: bool = False


def _any(*patterns: str) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


W = r"\S+ ?"  # a wire of any name
EXPLANATIONS = (
    Explanation("one bit: adding, subtracting and inverting are the same, and what is taken away "
                "from 1 is 0", _any(
        rf"sequencer: assign {W} = ahead \+ 1'h1;  \[(?:\+ becomes|left of|stuck at 1)",
        rf"sequencer: assign {W} = ahead - 1'h1;  \[(?:- becomes|operands|stuck at 0)",
        rf"sequencer: assign {W} = ahead \? {W}\[0\] : ahead;  \[stuck at 0\]")),
    Explanation("the register is read only while a bit that is reset says that it counts", _any(
        r"sequencer: if \(rst\) route__payload <=",
        r"accumulators: if \(rst\) (?:which_read|entry\d) <=",
        r"requantiser: if \(rst\) (?:read_row|\\end |sums_bank|raw|write_row) <=")),
    Explanation("it lasts for the one cycle after reset in which no instruction can issue yet",
                _any(r"accumulators: if \(rst\) write <=",
                     r"requantiser: if \(rst\) write_enable <=",
                     r"sequencer: if \(rst\) route__valid <=")),
    Explanation("the arm of opcodes for which nobody reads the value", _any(
        rf"sequencer: assign {W} = _\d+_\(2\d'h0+, .*\[2\d'h0+ becomes",
        r"sequencer: assign permitted = _\d+_\(1'h0, .*\[1'h0 becomes",
        r"sequencer: assign (?:out_beats|load__payload) = .*\[(?:first arm|\d+'h0+ becomes)",
        r"sequencer: assign _(?:192|20[234])_ = (?:! )?word\[63:60\](?: == 4'h[178])?;  "
        r"\[stuck at 1\]")),
    Explanation("one bit of five that make a number too long for the port all ones: the other "
                "four name no array either",
                rf"sequencer: assign {W} = \| {{ 5'h00, word\[59:41\] }};  "
                r"\[(?:\| becomes|5'h00 dropped|word|stuck at 0)"),
    Explanation("sums are pending as long as activations have still to enter or are in the bank",
                _any(r"sequencer: assign _(?:132_ = ~ bank_busy|012_ = ~ streaming);  "
                     r"\[stuck at 1\]",
                     rf"sequencer: assign _001_ = {W} & {W};  \[left of & dropped\]",
                     rf"sequencer: assign _023_ = {W} & {W};  \[right of & dropped\]")),
    Explanation("operand bits that no multiplier of this array reads",
                r"pe_0: (?:\.(?:act|weight)\(|assign (?:act|weight)_out = ).*\[4'h0 becomes"),
    Explanation("a refused word stays in the register, so that no other is accepted",
                r"sequencer: assign stopped = halted \| fault;  \[right of \| dropped\]"),
    Explanation("before it issues, a ROUTE or MATMUL waits alone: nobody reads the tile bit",
                _any(rf"sequencer: assign {W} = issue \? 1'h1 : tile_open;  \[(?:first|stuck at 1)",
                     rf"sequencer: assign {W} = issue \? 1'h0 : tile_open;  "
                     r"\[(?:arms|first|stuck at 0)")),
    Explanation("a row is read that nobody asked for, or once more; the result is the same", _any(
        rf"accumulators: assign reading[01] = read_enable & {W};  \[(?!stuck at 0)",
        rf"accumulators: assign {W} = ! read_row\[2\];  \[stuck at 1\]",
        r"accumulators: assign sums_[01]__read_enable = .*\[stuck at 1\]",
        r"accumulators: \.read_enable\(sums_[01]__read_enable\),  \[stuck at 1\]",
        r"accumulators: else if \(read_enable\) which_read <= .*\[always\]",
        rf"requantiser: assign read_enable = {W} & {W};  \[(?!stuck at 0)",
        rf"requantiser: assign {W} = ! step;  \[stuck at 1\]")),
    Explanation("without `accumulate` the old sum is read and not added; the other bank is the "
                "one that is requantised", rf"accumulators: assign {W} = results__valid & "
                r"entry0\[16\];  \[right of & dropped\]"),
    Explanation("what is kept without results is written only with them",
                r"accumulators: if \(results__valid\) (?:fresh|accumulate|write_row) <= "
                r".*\[always\]"),
    Explanation("an entry of the queue beyond its count, which is written again before it counts",
                _any(rf"accumulators: assign {W} = & {{ push, {W} }};  \[(?!stuck)",
                     rf"accumulators: assign {W} = place_at == 2'h3;  \[stuck at 1\]",
                     rf"accumulators: assign {W} = push \? {W} : {W};  \[first arm always\]")),
    Explanation("the sender looks at `ready` before it says `valid`", _any(
        r"accumulators: assign push = landing__valid & landing__ready;  \[right of & dropped\]",
        rf"requantiser: assign {W} = command__valid & command__ready;  \[right of & dropped\]")),
    Explanation("a code is stored too early or again, and is right when its row is complete", _any(
        r"requantiser: assign _0(?:07|09|12)_ = valid\[7\] & _\d+_;  \[left of & dropped\]",
        r"requantiser: assign _012_ = valid\[7\] & _010_;  \[(?:& becomes|right of|stuck at 1)",
        rf"requantiser: assign {W} = step7 == 2'h2;  \[stuck at 1\]",
        r"requantiser: if \(_\d+_\) \\codes\[2\]  <= .*\[always\]")),
    Explanation("bits above those that are kept",
                r"requantiser: assign .* : { 3'h0, command__payload.*\[3'h0 becomes"),
    Explanation("a counter that comes back to 0 by itself",
                r"requantiser: assign .*\| { sums_done, rst };  \[sums_done dropped\]"),
    Explanation("`step` is at its end only while rows are left",
                rf"requantiser: assign row_done = walking & {W};  \[left of"),
    Explanation("a value that a later multiplexer replaces, or that nobody reads", _any(
        r"requantiser: assign _\d+_ = _\d+_ \? (?:constants0\[68|sums\[31):0\] : .*"
        r"\[(?:first arm|\d+'\w+ becomes)",
        rf"requantiser: assign {W} = ! step0;  \[stuck at 1\]",
        r"bank: assign _\d+_ = router__enable\[0\] \? array_0__psum_out : .*"
        r"\[(?:first arm|\d+'h0+ becomes)",
        r"bank: assign reached\[0\] = 1'h1;")),
    Explanation("row 0 takes every row of weights that passes, and the last one goes on standing "
                "at its input", _any(
        r"array_1: \.load_in\(load_in\[0\]\),  \[stuck at 1\]",
        rf"bank: assign {W} = weight_beat \? {{ reached\[1\], 1'h1 }} : 2'h0;  "
        r"\[(?:first arm|2'h0 becomes|stuck at 1)",
        r"bank: if \(act_skew__en\) load\[0\] <= .*\[stuck at 1\]"), plain=True),
    Explanation("word 0 may go to row 1 unless a tile begins in that very cycle", _any(
        rf"bank: assign {W} = fill >= 1'h1;  \[(?:operands|1'h1 becomes 0|stuck at 1)",
        rf"bank: assign {W} = fill >= 2'h2;  \[(?:2'h2 becomes 1|stuck at 1)",
        rf"bank: assign reached\[1\] = {W} & {W};  \[left of & dropped\]")),
    Explanation("one row of two is counted as 3 instead of 1, or bit 0 of the count is the same "
                "either way", _any(
        r"bank: else if \(weight_beat\) fill\[1\] <= .*\[stuck at 1\]",
        r"bank: assign _\d+_ = tile_start \? { \d'h0, weight_beat } : _\d+_;  "
        r"\[(?:second arm|\d'h0 becomes)")),
)

# Of the requantiser's lane by itself. They name lines of which the sums notice some mutants, too:
# which copy of a bit matters depends on where in the tree of adders it stands.
LANE_EXPLANATIONS = (
    Explanation("a constant 0 of a row of the product, or a bit that meets one: rows of carry-save "
                "adders begin and end at other places", _any(
        r"requantise_lane: assign _\d+_ = (?:\{.*\}|total\d_0|_\d+_) [&^] (?:\{.*\}|_\d+_);  "
        r"\[(?:\^ becomes \||\d+'[hb][01]+ becomes)",
        r"requantise_lane: assign _\d+_ = (?:~ _\d+_|total\[31\] & multiplier\[\d+\]);",
        r"requantise_lane: assign half1\[0\] = 1'h0;")),
    Explanation("a bit of a number that is beyond the clamps whatever the bit is",
                r"requantise_lane: assign _\d+_ = "
                r"(?:~ scaled\[63\]|~ _\d+_\[18\]|\$signed\(near\) >>> shift3);"),
    Explanation("a clamp gives the same value at its bound", _any(
        r"requantise_lane: .*\$signed\(moved\) < \$signed\(low\);  \[< becomes <=\]",
        r"requantise_lane: .*\$signed\(moved\) > \$signed\(high\);  \[> becomes >=\]")),
)

# Of the bus by itself.
BUS_EXPLANATIONS = (
    Explanation("the register is looked at only while a bit that is reset says that it counts",
                r"lite_port: if \(rst\) (?:[br]resp|rdata|write_\w+) <="),
    Explanation("protection is not looked at", r"accelerator_axi: \.a[rw]prot\("),
    Explanation("START resets it again before anything is asked of it",
                r"accelerator_axi: assign _0[146]_ = rst \| clear;  \[left of"),
    Explanation("a RESET that comes with a START is kept from it twice", _any(
        r"registers: assign _001_ = ~ stop;  \[stuck at 1\]",
        r"registers: assign _002_ = _044_ & _001_;  \[right of",
        r"registers: assign _048_ = \| { stop, rst };  \[stop dropped\]")),
    Explanation("no second write follows a START in the next cycle: its response comes first",
                r"registers: assign _003_ = running \| starting;  \[right of"),
    Explanation("after 2**32 cycles; the proof covers it", _any(
        r"registers: assign _017_ = & cycles;  \[stuck at 0\]",
        r"registers: assign _018_ = ~ _017_;  \[stuck at 1\]",
        r"registers: assign _019_ = running & _018_;  \[right of")),
    Explanation("it follows the accelerator in the next cycle, before a run can have begun",
                r"registers: if \(rst\) known_route <="),
    Explanation("an alias that nobody reads", r"registers: assign new_errors\[2\] = misaligned;"),
    Explanation("the first arm of a choice wins, and a spare beat that does not count is not read",
                _any(r"\w+_buffer: assign _07_ = ~ _02_;  \[stuck at 1\]",
                     r"\w+_buffer: assign _05_ = & { arrives, _07_ };  \[_07_ dropped\]")),
    Explanation("a counter that comes back to 0 by itself, or has one bit", _any(
        r"\w+_rows: assign _04_ = (?:complete|count) \| beats__payload\[8\];  \[left of",
        r"input_rows: assign _03_ = count \+ 1'h1;  \[(?:\+ becomes|left of|stuck at 1)")),
    Explanation("an entry of the queue beyond its count, which is written again before it counts; "
                "or a difference that is compared with 0", _any(
        r"packet_ends: assign _07_ = count - pop;  \[operands",
        r"packet_ends: assign _11_ = count - pop;  \[(?:- becomes|right of)",
        r"packet_ends: assign _12_ = _11_ == 2'h2;  \[stuck at 1\]",
        r"packet_ends: assign _13_ = & { push, _12_ };  \[(?!stuck)",
        r"packet_ends: assign _0[34]_ = push \? .*\[first arm")),
    Explanation("bits behind the last beat of a row",
                r"row_sender: assign _08_ = .*\[8'h00 becomes"),
)


def reason_to_survive(mutant: Mutant, *, dense: bool = False) -> str:
    """Return why no run can notice a mutant, or "" if one should.

    dense : of PEs of several terms.
    """
    return next((explanation.reason for explanation in (
        *EXPLANATIONS, *LANE_EXPLANATIONS, *BUS_EXPLANATIONS)
                 if re.match(explanation.pattern, str(mutant))
                 and not (dense and explanation.plain)), "")
