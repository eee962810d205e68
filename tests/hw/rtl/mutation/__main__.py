"""`python -m tests.hw.rtl.mutation`: every mutant, and a table of how many the suite notices."""

from __future__ import annotations

import argparse
from collections import Counter

from hw.common.errors import run_command_line
from hw.common.progress import task


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.hw.rtl.mutation",
        description="Run single mutants of the emitted Verilog against random programs and tiles.")
    parser.add_argument("--every", type=int, default=1, metavar="N",
                        help="only every N-th mutant (default: %(default)s)")
    parser.add_argument("--survivors", action="store_true",
                        help="list the mutants that survive, and why")
    parser.add_argument("--dense", action="store_true",
                        help="of a bank of 2x1 PEs and tiles alone (default: of an accelerator)")
    parser.add_argument("--lane", action="store_true",
                        help="of the requantiser's lane by itself, run on sums")
    parser.add_argument("--bus", action="store_true",
                        help="of the bus by itself, run on random cycles")
    options = parser.parse_args()
    if options.every < 1:
        parser.error(f"--every must be a positive integer, not {options.every}")
    from tests.hw.rtl.mutation.bus import BusCampaign
    from tests.hw.rtl.mutation.campaign import REASONS, Campaign
    from tests.hw.rtl.mutation.lane import LaneCampaign
    from tests.hw.rtl.mutation.machine import DENSE_MACHINE, MACHINE
    from tests.hw.rtl.mutation.survivors import reason_to_survive

    campaign = LaneCampaign() if options.lane else BusCampaign() if options.bus else Campaign(
        DENSE_MACHINE if options.dense else MACHINE)
    chosen = campaign.mutants[::options.every]
    total, killed, equivalent, how = Counter(), Counter(), Counter(), Counter()
    survivors = []
    with task("Mutants", len(chosen)) as progress:
        for mutant in chosen:
            total[mutant.module] += 1
            if code := campaign.noticed_by(mutant.site, mutant.variant):
                killed[mutant.module] += 1
                how[REASONS[code % len(REASONS)]] += 1
            else:
                equivalent[mutant.module] += bool(reason_to_survive(mutant, dense=options.dense))
                survivors.append(mutant)
            progress.advance(1)
    print(f"{'module':18}{'mutants':>9}{'killed':>9}{'equivalent':>12}{'left':>6}{'killed, %':>11}")
    for module in [*total, "all"]:
        counts = [sum(counter.values()) if module == "all" else counter[module]
                  for counter in (total, killed, equivalent)]
        every, dead, same = counts
        print(f"{module:18}{every:9}{dead:9}{same:12}{every - dead - same:6}"
              f"{100 * dead / max(every - same, 1):11.1f}")
    print("Killed, %: of those that are not equivalent. Noticed by: "
          + ", ".join(f"{reason} {count}" for reason, count in how.most_common()))
    if options.survivors:
        for mutant in survivors:
            reason = reason_to_survive(mutant, dense=options.dense)
            print(f"{mutant}\n    {reason or 'NOT EXPLAINED'}")


if __name__ == "__main__":
    run_command_line(main)
