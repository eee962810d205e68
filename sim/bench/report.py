"""A run as text: tables in Markdown, which read well on a terminal too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hw.common.errors import InputError
from hw.common.files import write_text
from sim.bench.results import Results
from sim.bench.targets import LUT, verdicts
from sim.bench.timing import Spread

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SAMPLED = " †"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is aligned left, the others right."""
    cells = [list(head), *[list(row) for row in rows]]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        padded = [text.ljust(width) if column == 0 else text.rjust(width)
                  for column, (text, width) in enumerate(zip(row, widths, strict=True))]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * width if column == 0 else "-" * (width - 1) + ":")
            for column, width in enumerate(widths)]
    return "\n".join([line(cells[0]), f"| {' | '.join(rule)} |", *map(line, cells[1:])]) + "\n"


def page(runs: Sequence[Results]) -> str:
    """Return everything that runs measured, on one machine after the other."""
    if len(runs) == 1:
        return markdown(runs[0])
    return "\n".join([machines_table(runs), *[
        f"### {machine_name(run)}\n\n{markdown(run)}" for run in runs]])


def machine_name(results: Results) -> str:
    """Return the processor in words."""
    model, cpu = results.machine["model"], results.machine["cpu"]
    return f"{model} ({cpu})" if model else str(cpu)


def machines_table(runs: Sequence[Results]) -> str:
    """Return what matters most on each machine, by threads; the slower LUT counts as any."""
    lines = []
    for run in runs:
        for threads in run.threads:
            ratios = [[ratio for name in names if (ratio := run.ratio(name, run.baseline, threads))]
                      for names in (LUT, ("ours-rank1",), ("ours-exact",))]
            lines.append([machine_name(run), vectors(run), str(threads), run.machine["date"],
                          run.machine["commit"] or "-",
                          *[str(max(found, key=lambda ratio: ratio.median)) if found else "-"
                            for found in ratios]])
    return table(["machine", "vectors", "threads", "date", "commit", "any LUT", "rank 1", "exact"],
                 lines)


def vectors(results: Results) -> str:
    """Return the widest vectors and whether int8 dot products are there."""
    features = results.machine["features"]
    widest = next((name for name in ("avx512bw", "avx2", "neon") if name in features), "-")
    return f"{widest}, VNNI" if {"avx512vnni", "avxvnni"} & set(features) else widest


def markdown(results: Results) -> str:
    """Return everything that a run measured."""
    parts = [machine_line(results)]
    if results.rows:
        parts += [f"**{results.title}**: {_layers(results)}; ratios are times relative to "
                  f"`{results.baseline}` in the same round, median [quartiles] of "
                  f"{results.repeats} rounds.\n", stack_table(results)]
        if any(row.sampled for row in results.rows):
            parts.append(f"{SAMPLED.strip()} computes part of each layer; the stack's time is "
                         "extrapolated per multiplication.\n")
    if results.missing:
        parts.append("".join(f"- `{name}` not measured: {reason}\n"
                             for name, reason in results.missing.items()))
    if not all(row.sampled for row in results.rows):
        parts += ["**By layer**, ns/MAC on the fewest threads, median over rounds.\n",
                  layer_table(results)]
    if results.parts:
        parts += ["**By part**, ns/MAC of one thread's own time, `ours-hard`; `limit` is what the "
                  f"load ports allow row-add; `waiting` is what {max(results.threads)} threads "
                  "together take more than one.\n", parts_table(results)]
    if results.networks:
        parts += ["**Whole networks**, random weights, one circuit in every layer.\n",
                  network_table(results)]
    if verdicts(results):
        parts += ["**Targets**\n", target_table(results)]
    return "\n".join(parts)


def machine_line(results: Results) -> str:
    """Return what it ran on."""
    machine = results.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items()
                         if version)
    return (f"{machine_name(results)}, {machine['cores']} cores "
            f"({', '.join(machine['features'])}), {machine['date']}, "
            f"commit {machine['commit'] or 'not recorded'}, {machine['system']}, "
            f"load {machine['load_average']} at the start; "
            f"Python {machine['python']}, {packages}.\n")


def stack_table(results: Results) -> str:
    """Return one line per contender and number of threads, fewest threads first."""
    macs = sum(shape.macs * shape.count for shape in results.shapes)
    lines = []
    for row in sorted(results.rows, key=lambda row: row.threads):
        stack = row.stack_ns(results.shapes)
        ratio = results.ratio(row.name, results.baseline, row.threads)
        lines.append([f"{row.label}{SAMPLED if row.sampled else ''} (`{row.name}`)",
                      str(row.threads), row.result, "yes" if row.bit_exact else "**NO**",
                      _digits(Spread.of(stack).median * 1e-6),
                      _digits(Spread.of(stack).median / macs),
                      "baseline" if row.name == results.baseline else str(ratio or "-")])
    return table(["contender", "threads", "result", "bit-exact", "ms/image", "ns/MAC", "ratio"],
                 lines)


def layer_table(results: Results) -> str:
    """Return one line per shape, one column per contender that computes whole layers.

    On the fewest threads.
    """
    least = min(row.threads for row in results.rows)
    rows = [row for row in results.rows if row.threads == least and not row.sampled]
    return table(["layer", "×", "m", "k", "n", *[row.name for row in rows]], [
        [shape.name, str(shape.count), str(shape.images * shape.positions), str(shape.k),
         str(shape.n), *[_digits(Spread.of(row.ns_per_mac[index]).median) for row in rows]]
        for index, shape in enumerate(results.shapes)])


def parts_table(results: Results) -> str:
    """Return one line per layer, one column per part of its time."""
    parts = list(results.parts[0]["ns"])
    return table(["layer", "×", "m", "k", "n", "groups", *parts], [
        [f"{record['of']}: {record['layer']}",
         *[str(record[key]) for key in ("count", "m", "k", "n", "groups")],
         *[_digits(record["ns"][part]) if record["ns"][part] else "-" for part in parts]]
        for record in results.parts])


def network_table(results: Results) -> str:
    """Return one line per network and circuit."""
    return table(["network", "circuit", "threads", "images/s", "peak memory"], [
        [record["network"], f"`{record['circuit']}`", str(record["threads"]),
         str(Spread(**record["images_per_s"])), f"{record['peak_memory_gb']:.2f} GB"]
        for record in results.networks])


def target_table(results: Results) -> str:
    """Return one line per target."""
    words = {True: "met", False: "**not met**", None: "-"}
    return table(["target", "measured", "verdict"],
                 [[verdict.target, verdict.measured, words[verdict.met]]
                  for verdict in verdicts(results)])


def around(page: Path) -> tuple[str, str]:
    """Return what a Markdown page has up to the first of its two markers, and from the second on.

    Raises InputError for a page without them.
    """
    content = page.read_text() if page.is_file() else ""
    if content.count(BEGIN) != 1 or content.count(END) != 1 or (
            content.index(BEGIN) > content.index(END)):
        raise InputError(f"{page}: must have the lines {BEGIN} and {END} once each")
    return content[:content.index(BEGIN) + len(BEGIN)], content[content.index(END):]


def update_page(page: Path, text: str) -> None:
    """Replace what stands between the two markers of a Markdown page."""
    before, after = around(page)
    write_text(page, f"{before}\n\n{text}\n{after}")


def _layers(results: Results) -> str:
    linear = sum(shape.count for shape in results.shapes if shape.linear)
    convolutions = sum(shape.count for shape in results.shapes) - linear
    macs = sum(shape.macs * shape.count for shape in results.shapes)
    return (f"{convolutions} convolutions and {linear} fully connected layers of "
            f"{len(results.shapes)} shapes, {macs / 1e9:.3g} GMAC per image")


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
