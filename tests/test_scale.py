"""The recipes of docs/scale.md: scripts that SLURM would be given."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SBATCH, JOBQUEUE = (ROOT / "docs" / "scale" / name for name in ("slurm.sbatch", "jobqueue.py"))
# What starts as many copies as SLURM would, on this machine.
SRUN = """#!/bin/bash
number=${1#--ntasks=}; shift
for _ in $(seq "$number"); do "$@" & done
wait
"""
SMALL = ("--method", "uniform", "--compare", "none", "--budget", "12", "--multipliers",
         "mul8u_trunc_c9,mul8u_drum_k4", "--rows", "8", "--cols", "8", "--compensation", "none")


def test_the_batch_script_is_one_that_slurm_takes():
    text = SBATCH.read_text()
    assert text.startswith("#!/bin/bash\n")
    asked = re.findall(r"^#SBATCH --([\w-]+)=\S+$", text, re.MULTILINE)
    assert asked == ["job-name", "ntasks", "cpus-per-task", "mem-per-cpu", "time", "output"]
    assert not re.search(r"\n(?!#).*\n(.*\n)*#SBATCH", text)  # SLURM reads them before commands
    subprocess.run(["bash", "-n", SBATCH], check=True)


def test_the_page_quotes_both():
    page = (ROOT / "docs" / "scale.md").read_text()
    assert {"scale/slurm.sbatch", "scale/jobqueue.py"} <= set(re.findall(r"\(([\w/.]+)\)", page))


def test_jobs_ask_for_what_was_said_and_show_their_key(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", JOBQUEUE, "--show", "--host", "127.0.0.1", "--per-job",
         "8", "--memory", "24GB", "--time", "01:30:00", "--partition", "short"],
        cwd=tmp_path, text=True, capture_output=True, check=False,
        env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    for line in ("#SBATCH -p short", "#SBATCH --cpus-per-task=8", "#SBATCH -t 01:30:00",
                 f"cd {tmp_path}"):
        assert f"\n{line}\n" in done.stdout
    command = done.stdout.strip().splitlines()[-1]
    assert re.search(r"dask_worker tls://127\.0\.0\.1:\d+ .*--nthreads 1 .*--nworkers 8 ", command)
    assert f"--tls-key {tmp_path}/cluster." in command
    assert "--no-dashboard" in command
    assert not [*tmp_path.glob("cluster.*")]  # the keys are gone


@pytest.mark.long
def test_the_batch_script_searches(tmp_path):
    """With its scheduler, keys and workers; `srun` alone is not SLURM's."""
    for path, text in ((tmp_path / "bin" / "srun", SRUN), (
            tmp_path / ".venv" / "bin" / "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')):
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o755)
    done = subprocess.run(
        ["bash", SBATCH, *SMALL, "--output", tmp_path / "runs", "--name", "batch"], cwd=tmp_path,
        text=True, capture_output=True, check=False, timeout=900, env={
            **os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT), "SLURMD_NODENAME": "127.0.0.1", "SLURM_NTASKS": "2"})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "batch" / "design.json").exists()
    assert not [*tmp_path.glob("cluster.*")]
    shutil.rmtree(tmp_path / "runs")
