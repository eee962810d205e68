"""Cells of a technology. Units: ps, fF, fJ, nW, um2, V."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from hw.ppa.library.expressions import truth_table
from hw.ppa.library.table import Table


@dataclass(frozen=True, kw_only=True)
class Arc:
    """Delay from one input to the output, and the slew that results.

    Parameters
    ----------
    sense : str
        `positive`: a rising input makes the output rise; `negative`: fall; `both`.
    delay_rise, delay_fall, slew_rise, slew_fall : Table
        By the edge at the *output*, over input slew and output load, in ps.
    """

    sense: str
    delay_rise: Table
    delay_fall: Table
    slew_rise: Table
    slew_fall: Table

    def edge(self, rising: bool, slew_ps: float, load_ff: float) -> tuple[float, float]:
        """Return delay and slew of an edge at the output, ps; one look at the axes for both."""
        delay, slew = ((self.delay_rise, self.slew_rise) if rising
                       else (self.delay_fall, self.slew_fall))
        place = delay.place(slew_ps, load_ff)
        return delay.read(place), slew.read(place if slew.has_axes_of(delay)
                                            else slew.place(slew_ps, load_ff))


@dataclass(frozen=True, kw_only=True)
class EdgeEnergy:
    """Energy inside a cell at a rising and at a falling edge, fJ, beyond charging the load."""

    rise: Table
    fall: Table


@dataclass(frozen=True, kw_only=True)
class Pin:
    """An input of a cell.

    Parameters
    ----------
    name : str
    cap_ff : float
    quiet : EdgeEnergy
        When the pin switches and the output does not, over the pin's slew.
    """

    name: str
    cap_ff: float
    quiet: EdgeEnergy


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A combinational cell with one output, or one output of a cell with several.

    Parameters
    ----------
    name : str
        `CELL`, or `CELL/OUTPUT` of a cell with several.
    part_of : str
        The cell with several outputs that this is one of; otherwise empty.
    shares_pins : bool
        Another part has area, leakage, and the capacitance and quiet energy of the pins.
    leakage_nw : float
        The mean over states, or the figure that the library gives for all.
    leakage_states_nw : tuple of float
        By input state, `inputs[0]` lowest; empty when the library has no states.
    function : str
        Of the output, in Liberty's notation, over the pin names.
    inputs : tuple of Pin
    arcs : tuple of tuple of Arc
        Arcs of each input, in the order of `inputs`.
    switching : tuple of EdgeEnergy
        When the output switches because of each input, by the edge at the output.
    """

    name: str
    area_um2: float
    leakage_nw: float
    output: str
    function: str
    inputs: tuple[Pin, ...]
    arcs: tuple[tuple[Arc, ...], ...]
    switching: tuple[EdgeEnergy, ...]
    part_of: str = ""
    shares_pins: bool = False
    leakage_states_nw: tuple[float, ...] = ()

    @cached_property
    def truth(self) -> int:
        """Truth table: bit i is the output when the inputs spell i, `inputs[0]` lowest."""
        return truth_table(self.function, [pin.name for pin in self.inputs])


@dataclass(frozen=True, kw_only=True)
class Flop:
    """A rising-edge register cell without enable.

    Parameters
    ----------
    data, clock : Pin
        `data.quiet` is spent when D switches while the clock is low, `clock.quiet` at each
        clock edge that leaves the state as it is.
    output : str
    inverted : bool
        The output pin is the inverse of the captured bit.
    arc : Arc
        Clock to output.
    switching : EdgeEnergy
        Of a clock edge that makes the output rise or fall.
    setup_rise, setup_fall, hold_rise, hold_fall : Table
        ps before and after the clock edge in which the data must not change, over data slew and
        clock slew, by the edge of the data.
    tied : tuple of (str, int)
        Set and reset pins, and the level at which they do nothing.
    """

    name: str
    area_um2: float
    leakage_nw: float
    data: Pin
    clock: Pin
    output: str
    inverted: bool
    arc: Arc
    switching: EdgeEnergy
    setup_rise: Table
    setup_fall: Table
    hold_rise: Table
    hold_fall: Table
    tied: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ClockGate:
    """An integrated clock gate: latch and AND, rising edge.

    Parameters
    ----------
    enable, clock : Pin
        `clock.quiet` is spent at each clock edge while the gate is closed.
    tie_low : tuple of str
        Test pins.
    output : str
    switching : EdgeEnergy
        Of the output edges while the gate is open.
    setup_rise, setup_fall, hold_rise, hold_fall : Table
        As for `Flop`, of the enable.
    """

    name: str
    area_um2: float
    leakage_nw: float
    enable: Pin
    clock: Pin
    tie_low: tuple[str, ...]
    output: str
    switching: EdgeEnergy
    setup_rise: Table
    setup_fall: Table
    hold_rise: Table
    hold_fall: Table


@dataclass(frozen=True, kw_only=True)
class FullAdder:
    """A cell with the sum and the carry of three inputs.

    Parameters
    ----------
    name : str
    sum, carry : str
        Its two parts among the cells of the technology.
    sum_inverted, carry_inverted : bool
        Whether the cell gives the complement.
    """

    name: str
    sum: str
    carry: str
    sum_inverted: bool
    carry_inverted: bool
