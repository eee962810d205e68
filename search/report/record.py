"""What a run found, as plain data: written to `run.json`, read by the report.

Everything a reader can see in the report is in this file, so two runs can be compared and
a report can be drawn again without running anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.common.errors import InputError
from hw.common.files import write_json
from hw.common.records import Amount, Count, Positive, Share, Size, Text, read_record
from hw.common.wording import counted, times_a_round
from search.certify.accuracy import shortfall
from search.report.breakdown import Breakdown
from search.report.consistency import check_run
from sim.network.unmapped import Outside

if TYPE_CHECKING:
    from sim.network.layer import MappedLayer

Tally = Count | Amount  # of images, or a sum of scores
RUN_FORMAT = "autoapprox-run/8"
WORDS = {"top1": "top-1", "top5": "top-5"}  # of parts of a metric; others are words themselves


@dataclass(frozen=True, kw_only=True)
class NetworkFacts:
    """One network of the run.

    name : its layers are called `name/layer` where there are several networks. model, data : as a
    reader would name them. inferences : how often it runs in a round of the workload. layers : how
    many of the run's are its own, in the order of the networks. calibrator : that its activation
    ranges were found by, or `as given`. float_right : search images that the float network has
    right, of each part of the metric; none where the network was quantised before.

    doubt : why the exact network may know nothing of its images, empty where it does. repeated :
    file or split -> images of it that are the same as an earlier one and were left out;
    relabelled : those of them that had another label. earlier_runs : in the same folder, that were
    judged on some of its certify images; earlier_images : how many of these they looked at.
    outside : products that no array runs.
    """

    name: Text
    model: str
    data: str
    inferences: Size
    layers: Size
    calibrator: Text
    float_right: tuple[Tally, ...] = ()
    doubt: str = ""
    repeated: Mapping[str, Count] = field(default_factory=dict)
    relabelled: Count = 0
    earlier_runs: Count = 0
    earlier_images: Count = 0
    outside: Sequence[Outside] = ()

    @property
    def times(self) -> str:
        """How often it runs, in words."""
        return times_a_round(self.inferences)

    @property
    def repetition(self) -> str:
        """What was left out, in words; empty where nothing was."""
        if not self.repeated:
            return ""
        counts = " and ".join(f"{count:,} of {name}" for name, count in self.repeated.items())
        other = f"; {self.relabelled:,} had another label" if self.relabelled else ""
        return f"{counts} are the same as an earlier image and were left out{other}"

    @property
    def budget(self) -> str:
        """How far its certify images are used up, in words; empty where they are new."""
        if not self.earlier_runs:
            return ""
        return (f"{counted(self.earlier_runs, 'earlier run')} in this folder looked at "
                f"{self.earlier_images:,} of the certify images; 95 % hold for each run, not for "
                "the best of several")

    @property
    def reservations(self) -> dict[str, str]:
        """What a reader of its figures must know, in words: kind -> text."""
        found = {"doubt": self.doubt and f"exact network {self.doubt}",
                 "repeated": self.repetition, "budget": self.budget}
        return {name: text for name, text in found.items() if text}


@dataclass(frozen=True, kw_only=True)
class LayerFacts:
    """One mapped layer, in execution order.

    kind : `conv`, `depthwise`, `linear` or `product` (of two activations); k, n : shape of the
    weight matrix per group; positions : output positions per image; macs : multiplications per
    image.
    """

    name: Text
    kind: str
    k: Size
    n: Size
    groups: Size
    positions: Size
    macs: Size

    @property
    def has_weights(self) -> bool:
        """Whether constants, and no activations, are its second operand."""
        return self.kind != "product"

    @classmethod
    def of(cls, layer: MappedLayer, name: str) -> LayerFacts:
        """Return what is told of a layer of a network, by the name that it has in mappings."""
        return cls(name=name, **{item.name: getattr(layer, item.name) for item in fields(cls)
                                 if item.name != "name"})


@dataclass(frozen=True, kw_only=True)
class MultiplierFacts:
    """One multiplier of the searched bank: error, cost of its PE, energy on the real streams.

    words : what it is, for readers who do not know its name.
    mae, wce and bias are in percent of the full scale (2**16 - 1), mre in percent of the exact
    product, ep in percent of the operand pairs; energies are femtojoules per PE and cycle,
    averaged over the layers of the network by their PE-cycles.
    """

    name: Text
    family: str
    words: str
    digest: str
    mae_percent: Amount
    wce_percent: Amount
    ep_percent: Amount
    mre_percent: Amount
    bias_percent: float
    pe_area_um2: Positive
    multiplier_area_um2: Amount
    pe_delay_ps: Positive
    pe_energy_fj: Positive
    multiplier_energy_fj: Amount


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One evaluated design.

    mapping : layer name -> multiplier name. energy, at the run's objective, and area are relative
    to the baseline on the same networks, `RunResult.baseline`. A claim is that a network keeps one
    part of the metric; of each, networks first, `right` of the `images` of the search split are.
    Their sums are for figures, and decide nothing.
    """

    mapping: Mapping[str, str]
    energy: Amount
    area: Positive
    right: tuple[Tally, ...]
    images: tuple[Size, ...]
    evaluation: Count  # how many full evaluations the method had spent when it measured this

    def keeps(self, needed: Sequence[float]) -> bool:
        """Return whether as many images are right as every claim needs."""
        return shortfall(self.right, needed) <= 0

    @property
    def shares(self) -> tuple[float, ...]:
        """Fraction right on the search split, of each claim."""
        return tuple(right / n for right, n in zip(self.right, self.images, strict=True))

    @property
    def search_right(self) -> float:
        """Images right, over all claims."""
        return sum(self.right)

    @property
    def search_n(self) -> int:
        """Images of the search splits, over all claims."""
        return sum(self.images)

    @property
    def search_share(self) -> float:
        """Fraction right on the search split, over all claims."""
        return self.search_right / self.search_n

    @property
    def arrays(self) -> tuple[str, ...]:
        """The multipliers used, each needing an array."""
        return tuple(dict.fromkeys(self.mapping.values()))


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Paired comparison with the exact network on images that nothing else has touched.

    Parameters
    ----------
    n : int
        Images.
    exact_right, approx_right : int or float
        Correct answers of each network, or the sum of their scores.
    lost, gained : int or float
        Images that only the exact (approximate) network gets right, or by how much scores fell and
        rose.
    margin : float
        Non-inferiority margin as a fraction (0.01 = one point).
    lower_bound : float
        One-sided lower confidence bound of the accuracy difference at `level`, a fraction.
    certified : bool
        `lower_bound >= -margin`.
    wording : str
        The sentence to print.
    level : float
        Of the test: its share of the 5 % of the whole order and what was handed on.
    metric : str
        What "right" means, a part of `search.measure.metric`.
    beside : mapping of str to (float, float)
        top1 and top5 on the same images -> the shares that the exact network and the design have
        right; with the first certificate of a network of more than ten classes, and no claim.
    """

    n: int
    exact_right: Tally
    approx_right: Tally
    lost: Tally
    gained: Tally
    margin: float
    lower_bound: float
    certified: bool
    wording: str
    level: Share = 0.05
    metric: Text = "top1"
    beside: Mapping[Text, tuple[Share, Share]] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Fraction that the approximate network has right."""
        return self.approx_right / self.n

    @property
    def exact_share(self) -> float:
        """Fraction that the exact network has right."""
        return self.exact_right / self.n


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A design of the sequence that was planned to be certified.

    found_by : the methods that measured it. chance : that it passes, by the forecast, were it
    judged alone. lost, gained : images that the forecast expects, of each claim. certificates :
    of each claim; empty before it is judged. smaller : the cheapest design of less area that is as
    harmless, None where there is none. refitted : it was judged with constants of its own, fitted
    on the inputs that its layers have.
    """

    design: Candidate
    found_by: tuple[Text, ...]
    chance: Share
    lost: tuple[Amount, ...]
    gained: tuple[Amount, ...]
    certificates: tuple[Certificate, ...] = ()
    smaller: Candidate | None = None
    refitted: bool = False

    @property
    def certified(self) -> bool:
        """Whether it was judged and every claim holds."""
        return bool(self.certificates) and all(one.certified for one in self.certificates)

    @property
    def verdict(self) -> str:
        """What became of it, in words."""
        return "certified" if self.certified else "not certified"


@dataclass(frozen=True, kw_only=True)
class MethodResult:
    """What one method found at its budget, before the certify split is looked at.

    Parameters
    ----------
    evaluations : float
        Full passes of the search split, compensation and calibration included.
    accepted : Candidate or None
        The cheapest design that kept the accuracy on the search split within the area limit.
    best : Candidate or None
        The design that it would hand over: of most saving times chance to be certified.
    history : sequence of Candidate
        Every candidate measured, in order.
    chance : float
        That `best` would be certified, by the forecast.
    expected : float
        Mean energy that certifying its designs alone would leave, by the forecast.
    """

    method: Text
    evaluations: Amount
    seconds: Amount
    accepted: Candidate | None
    best: Candidate | None
    history: Sequence[Candidate]
    chance: Share = 0.0
    expected: Amount = 1.0


@dataclass(frozen=True, kw_only=True)
class SingleArray:
    """What one array for all layers offers, by the forecast, whichever method measured it.

    design : of most saving times chance to be certified, None where none saves energy and kept the
    accuracy. chance : of it. expected : mean energy that certifying such designs alone would leave.
    """

    design: Candidate | None
    chance: Share
    expected: Amount


@dataclass(frozen=True, kw_only=True)
class CalibrationFacts:
    """How well predicted damage ranks: Spearman's correlation with measured damage.

    additive, pairwise : over random designs, without and with pairs of layers; None where they do
    not differ. searched : over the designs that methods measured. pairs_used, studied : whether
    methods were given pairs of layers, and a study of every (layer, multiplier). Of several
    networks, `additive` and `pairwise` are those of the one that is predicted worst.
    charge : evaluations that it cost.
    """

    additive: float | None
    pairwise: float | None
    pairs_used: bool
    studied: bool
    searched: float | None
    searched_designs: Count
    charge: Amount


@dataclass(frozen=True, kw_only=True)
class CompensationFacts:
    """What free compensation does for the kept design, on the search split.

    layers : layer -> which constants it has, `none` for its own. corrected of pairs : how many
    (layer, multiplier) were given other constants. right, damage : with them, of all networks;
    plain : without.
    charge : evaluations that fitting cost, as many passes of the calibration images.
    refits : designs that were fitted once more, which took refit_passes over those images.
    """

    kind: str
    passes: Amount
    refits: Count
    refit_passes: Amount
    refit_seconds: Amount
    charge: Amount
    corrected: Count
    pairs: Count
    layers: Mapping[str, str]
    right: Tally
    plain_right: Tally
    damage: Amount
    plain_damage: Amount


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a design takes per inference or round of the workload.

    energy_nj : level (`hw.ppa.chip.levels.LEVELS`) -> nJ. cycles : of the accelerator with a host
    that never waits. clock_ps : the shortest period of the arrays and the units around them.
    """

    energy_nj: Mapping[str, Amount]
    area_um2: Positive
    cycles: Positive
    clock_ps: Positive

    @property
    def latency_us(self) -> float:
        """Time of a batch divided by its images, or of a round of such."""
        return self.cycles * self.clock_ps * 1e-6

    def relative(self, baseline: Figures) -> dict[str, float]:
        """Return level -> energy with the baseline's 1."""
        return {level: energy / baseline.energy_nj[level]
                for level, energy in self.energy_nj.items()}

    def enlarged(self, area_um2: float) -> Figures:
        """Return the same arrays built so often that they take an area, sharing the work evenly.

        Energy stays, fractions of an array and perfect use allowed: the best that they could do.
        """
        return replace(self, area_um2=area_um2, cycles=self.cycles * self.area_um2 / area_um2)


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A whole run.

    Parameters
    ----------
    name : str
    chosen : str
        The run's own method; the others were compared with it.
    networks : sequence of NetworkFacts
        What was searched.
    metric : tuple of str
        The parts of what is kept of every network, of `search.measure.metric.METRICS`.
    exact : Candidate
        The exact-only design.
    sensitivity : mapping of layer to mapping of multiplier to float
        Damage of that multiplier in that layer alone: mean squared change of the logits
        over the calibration images, divided by the variance of the exact logits. Measured if
        `calibration.studied`, else predicted; empty when no method asked for it.
    judged : sequence of Judged
        The certified sequence, out of all designs that any method measured, in its order.
    expected : float
        Mean energy that the sequence would leave, by the forecast.
    kept : Candidate
        The design that is handed over: the last that was certified, the exact one where none was.
    certificates : tuple of Certificate
        Of `kept`, one for each claim.
    exact_forms : mapping of str to Figures
        Form of the PEs -> of the exact array: that of the bank's exact array first, then those that
        multiply as often per cycle and take no longer a clock period than one of the bank's form.
    calibration, compensation : facts, None when there was none
    objective : str
        Level whose energy was minimised, relative to the baseline's in all candidates.
    kept_figures : Figures
        Of the design that is handed over.
    figures : mapping of str to Figures
        Method -> of its best design.
    layer_energy_pj : mapping of layer to mapping of multiplier to float
        Array energy of the layer per inference or round of the workload, picojoules.
    single : SingleArray, optional
        What one array would offer in place of the bank; None in runs from before.
    breakdown, baseline_breakdown : Breakdown, optional
        Energy by layer and part of the kept design and of the exact array that all is relative to.
    configuration : mapping
        Every option of the run, defaults included.
    versions, hashes : mapping of str to str
        Of the software and of the files used.
    seconds : float
        Until it was written.
    processor_seconds : mapping of str to float
        By what was told while it was done, all threads together; programs that were started, such
        as Yosys, are not in it.
    peak_bytes : int
        The most memory that the process held until then.
    """

    name: Text
    chosen: str
    networks: Sequence[NetworkFacts]
    layers: Sequence[LayerFacts]
    multipliers: Sequence[MultiplierFacts]
    exact: Candidate
    exact_forms: Mapping[Text, Figures]
    methods: Sequence[MethodResult]
    judged: Sequence[Judged]
    expected: Amount
    kept: Candidate
    certificates: tuple[Certificate, ...]
    calibration: CalibrationFacts | None
    compensation: CompensationFacts | None
    sensitivity: Mapping[str, Mapping[str, Amount]]
    layer_energy_pj: Mapping[str, Mapping[str, Positive]]
    objective: str
    metric: tuple[Text, ...]
    kept_figures: Figures
    figures: Mapping[str, Figures]
    configuration: Mapping[str, Any]
    single: SingleArray | None = None
    breakdown: Breakdown | None = None
    baseline_breakdown: Breakdown | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    seconds: Amount = 0.0
    processor_seconds: Mapping[str, Amount] = field(default_factory=dict)
    peak_bytes: Count = 0

    @property
    def baseline_form(self) -> str:
        """The form of PEs with which the exact array takes least energy: all is relative to it."""
        return least_energy(self.exact_forms)

    @property
    def baseline(self) -> Figures:
        """Of the exact array that energies and areas are relative to."""
        return self.exact_forms[self.baseline_form]

    @property
    def exact_form(self) -> str:
        """The form of PEs of the bank's exact array; those of the others: `pe_form` of the run."""
        return next(iter(self.exact_forms))

    @property
    def reference(self) -> MultiplierFacts:
        """The exact multiplier, in PEs of `exact_form`."""
        name = next(iter(self.exact.mapping.values()))
        return next(facts for facts in self.multipliers if facts.name == name)

    @property
    def pe_forms(self) -> str:
        """What the bank's arrays are made of, in words."""
        form = self.configuration["pe_form"]
        return form if form == self.exact_form else (
            f"{form}, those of the exact array {self.exact_form}")

    @property
    def winner(self) -> MethodResult:
        """The run's own method."""
        return next(method for method in self.methods if method.method == self.chosen)

    @property
    def certified(self) -> Judged | None:
        """The design that is handed over as it was judged, None where it is the exact one."""
        return next((one for one in reversed(self.judged) if one.certified), None)

    @property
    def certificate(self) -> Certificate:
        """The one that decides: of the claim whose bound is closest to failing its margin."""
        return min(self.certificates, key=lambda one: one.lower_bound + one.margin)

    def certified_of(self, method: str) -> Judged | None:
        """Return the cheapest certified design that a method measured, None where there is none."""
        return min((one for one in self.judged if one.certified and method in one.found_by),
                    key=lambda one: one.design.energy, default=None)

    @property
    def equal_area(self) -> Figures:
        """Of exact arrays that take as much area as the kept design, `Figures.enlarged`."""
        return self.baseline.enlarged(self.kept_figures.area_um2)

    @property
    def period(self) -> str:
        """What energies and cycles are of, in words."""
        return "a round" if self.joint else "an inference"

    @property
    def made_of(self) -> str:
        """The multipliers of the kept design, and what they are."""
        words = {facts.name: facts.words for facts in self.multipliers}
        return made_of({name: words[name] for name in self.kept.arrays})

    @property
    def joint(self) -> bool:
        """Whether several networks share the bank."""
        return len(self.networks) > 1

    @property
    def claims(self) -> list[tuple[NetworkFacts, str]]:
        """What is claimed: a network, and the part of the metric that it keeps."""
        return [(network, part) for network in self.networks for part in self.metric]

    @property
    def metric_words(self) -> str:
        """What is kept, in words."""
        return metric_words(self.metric)

    @property
    def macs(self) -> int:
        """Multiplications of one inference, or of one round of the workload."""
        layers = iter(self.layers)
        return sum(network.inferences * sum(layer.macs for layer in islice(layers, network.layers))
                   for network in self.networks)

    @property
    def network(self) -> str:
        """The model that was searched, or all of them."""
        return ", ".join(network.model for network in self.networks)

    def save(self, path: Path) -> None:
        """Write `run.json` atomically."""
        write_json(path, {"format": RUN_FORMAT, **asdict(self)})

    @classmethod
    def load(cls, path: Path) -> RunResult:
        """Read `run.json`; raises InputError naming the file and the place in it that is wrong."""
        run = read_record(path, cls, RUN_FORMAT)
        try:
            check_run(run)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        return run


def metric_words(parts: Sequence[str]) -> str:
    """Return the parts of a metric in words."""
    return " and ".join(WORDS.get(part, part) for part in parts)


def least_energy(forms: Mapping[str, Figures]) -> str:
    """Return the form of least array energy."""
    return min(forms, key=lambda form: forms[form].energy_nj["array"])


def made_of(words: Mapping[str, str]) -> str:
    """Return names with what they stand for; those that are alike come together."""
    alike: dict[str, list[str]] = {}
    for name, meaning in words.items():
        alike.setdefault(meaning, []).append(name)
    return "; ".join(f"{', '.join(names)} ({meaning})" for meaning, names in alike.items())


@dataclass(frozen=True, kw_only=True)
class JudgedNetwork:
    """What is known of one claim for the design that was kept; metric : the part that is kept."""

    network: NetworkFacts
    metric: str
    search_right: float
    exact_search_right: float
    search_n: int
    certificate: Certificate
    float_search_right: float | None

    @property
    def reference(self) -> str:
        """The exact network that accuracy and energy are relative to, and the float one."""
        beside = ("" if self.float_search_right is None else
                  f", float {100 * self.float_search_right / self.search_n:.2f} %")
        return (f"8 bits, ranges {self.network.calibrator}: "
                f"{100 * self.exact_search_right / self.search_n:.2f} % {self.words}{beside} "
                f"(n = {self.search_n}, search)")

    @property
    def words(self) -> str:
        """What is kept, in words."""
        return WORDS.get(self.metric, self.metric)


def judged_networks(run: RunResult) -> list[JudgedNetwork]:
    """Return the accuracy of each network under the design that was kept, claim by claim."""
    best = run.kept
    return [JudgedNetwork(
        network=network, metric=metric, search_right=best.right[index],
        search_n=best.images[index], exact_search_right=run.exact.right[index],
        certificate=run.certificates[index], float_search_right=(
            network.float_right[index % len(run.metric)] if network.float_right else None))
        for index, (network, metric) in enumerate(run.claims)]
