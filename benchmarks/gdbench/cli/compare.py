"""``gdbench compare``: what a commit, another variant or other packages do to speed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from gdbench.basics.exit_codes import INTERRUPTED, KERNEL_WRONG
from gdbench.basics.folders import fresh_folder
from gdbench.cli import compare_show
from gdbench.cli.console import (
    fail,
    human_output,
    json_option,
    markdown_option,
    say,
    stderr,
    write_json,
    write_markdown,
)
from gdbench.cli.filters import filter_options
from gdbench.cli.number_types import SEED, NumberType
from gdbench.cli.steps import steps
from gdbench.compare.comparison import compare
from gdbench.compare.record.record import FILE, read_record
from gdbench.compare.record.tiers import TIERS
from gdbench.compare.views import markdown
from gdbench.compare.views.page import write_views
from gdbench.experiments.grid import Filters
from gdbench.processes.live import AnswerError, ProcessLost
from kernels import InputError
from kernels.validation import check_seed

TIER_LINES = "\n".join(f"  {tier.name:9}{tier.minutes:2} minutes: {tier.about}" for tier in TIERS.values())
EXAMPLES = f"""
Each side is a git revision, a folder with a checkout (./name), or a variant of this tree. With --env
the sides are environments: both run this tree, or one REV that is named, on other packages.

\b
Most time for 200 cases on two cores, once both sides are built:
{TIER_LINES}

Examples:

\b
  gdbench compare main HEAD
  gdbench compare HEAD~20 . --quick --network mlp
  gdbench compare HEAD~1 HEAD --deep --markdown comment.md
  gdbench compare jit vectorized
  gdbench compare --env numba==0.65.1 --env numba==0.66.0
  gdbench compare HEAD~20 --env numpy==2.2.6,python==3.12

Exit codes: 0 no regression proven, and at least 80 % of the cases resolved; 1 a regression was proven;
2 wrong usage or unreadable input; 3 not enough evidence; 4 a kernel is wrong, a control failed or
nothing was measured; 130 stopped by Ctrl-C, with what was measured until then in its folder.
"""


@click.command("compare", short_help="Tell whether a commit, variant or package changed speed.", epilog=EXAMPLES)
@click.argument("base", required=False)
@click.argument("head", required=False)
@click.option(
    "--env", "environments", metavar="PACKAGES", multiple=True,
    help="Compare environments: requirements as pip takes them, such as numba==0.65.1, once for each side. "
    "Given once, the head is the environment that gdbench runs in.",
)  # fmt: skip
@click.option("--quick", "tier", flag_value="quick", help="A few minutes: finds slowdowns of 10 % and more.")
@click.option("--standard", "tier", flag_value="standard", default=True, help="The default: 5 % and more.")
@click.option("--deep", "tier", flag_value="deep", help="An hour or more: finds slowdowns of 2 %.")
@filter_options()
@click.option(
    "--effect",
    type=NumberType(click.FLOAT, "a number of per cent, such as 5"),
    help="Slowdown in % to plan for; that of the tier if not given.",
)
@click.option("--explain", is_flag=True, help="For each proven regression: which task moved, and whether work grew.")
@click.option(
    "--instructions",
    is_flag=True,
    help="Also count the instructions of every case under valgrind: the same however busy the machine is.",
)
@click.option("--seed", type=SEED, help="Seed of orders, hash seeds and padding; drawn anew if not given.")
@click.option("--all", "every_case", is_flag=True, help="List every case, unchanged ones too.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the comparison; a new one below reports/.")
@markdown_option
@json_option
def command(
    *,
    base: str | None,
    head: str | None,
    environments: tuple[str, ...],
    tier: str,
    effect: float | None,
    explain: bool,
    instructions: bool,
    seed: int | None,
    every_case: bool,
    markdown_path: str | None,
    output: Path | None,
    json_path: str | None,
    **filters: Any,
) -> int:
    """Tell which cases HEAD made slower, faster or left unchanged, and where there is not enough evidence.

    Both sides are certified, then timed in turns within milliseconds, in fresh pairs of processes on the same core.
    Controls in every run tell what it may claim.
    """
    check_seed(0 if seed is None else seed)
    if effect is not None and not effect > 0:
        raise InputError(f"--effect is a slowdown in % above 0, got {effect:g}")
    interrupted = False
    names = "-".join(map(_word, filter(None, (base, head, *environments))))
    with fresh_folder(output, f"compare-{names}") as folder:
        try:
            with steps("Comparing") as report:
                record = compare(
                    base,
                    head,
                    folder=folder,
                    tier=tier,
                    filters=Filters(**filters),
                    effect=None if effect is None else effect / 100,
                    seed=seed,
                    explain=explain,
                    instructions=instructions,
                    report=report,
                    environments=environments,
                )
        except KeyboardInterrupt:
            if not (folder / FILE).exists():
                fail("stopped before there was a result: run the same command again.", INTERRUPTED)
            record, interrupted = read_record(folder), True
        except (AnswerError, ProcessLost) as error:
            fail(f"nothing was measured: {error}", KERNEL_WRONG)
        compare_show.show(record, human_output(json_path, markdown_path), every_case=every_case)
        write_json(json_path, record)
        write_markdown(markdown_path, markdown.render(record))
        write_views(folder)
    if interrupted:
        fail(
            f"{record.progress}; what it had measured until then is in {folder}. "
            "Run the same command again, into another folder, to measure all of it.",
            INTERRUPTED,
        )
    say(stderr, f"Report, with all tables and pictures: {folder / 'comparison.html'}")
    return record.exit_code


def _word(text: str) -> str:
    """Write a revision or a path as part of a folder's name."""
    return re.sub(r"[^\w.~^-]+", "-", text).strip("-.") or "tree"
