"""A search whose workers are jobs of SLURM that come when they can and may be taken away.

    .venv/bin/python docs/scale/jobqueue.py --workers 256 --partition short -- \
        --network net.onnx --data val/ --name net

Scheduler and search run where this is started; what follows `--` are options of `search.run`.
`--show` prints the script of a job and starts nothing.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from dask_jobqueue import SLURMCluster
from distributed.security import Security

OPENSSL = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
           "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=autoapprox"]


def main() -> int:
    """Start the scheduler, ask for jobs, search."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=64, help="at most so many at a time")
    parser.add_argument("--per-job", type=int, default=16, help="workers of a job, a core each")
    parser.add_argument("--memory", default="48GB", help="of a job")
    parser.add_argument("--time", default="02:00:00", help="of a job")
    parser.add_argument("--partition", help="of the jobs (default: that of the site)")
    parser.add_argument("--host", help="address of this machine that nodes reach")
    parser.add_argument("--show", action="store_true", help="print the script of a job")
    parser.add_argument("search", nargs="*", help="options of search.run, after --")
    options = parser.parse_args()
    os.umask(0o077)  # keys and addresses are nobody else's
    with tempfile.TemporaryDirectory(prefix="cluster.", dir=Path.cwd()) as name:  # nodes share it
        folder = Path(name)
        key, own = str(folder / "key.pem"), str(folder / "cert.pem")
        subprocess.run([*OPENSSL, "-keyout", key, "-out", own], check=True, capture_output=True)
        with SLURMCluster(
                cores=options.per_job, processes=options.per_job, memory=options.memory,
                walltime=options.time, queue=options.partition, python=sys.executable,
                protocol="tls://", worker_extra_args=["--no-dashboard"], security=Security(
                    require_encryption=True, tls_ca_file=own,
                    tls_client_cert=own, tls_client_key=key, tls_scheduler_cert=own,
                    tls_scheduler_key=key, tls_worker_cert=own, tls_worker_key=key),
                scheduler_options={"dashboard_address": "127.0.0.1:0",
                                   **({"host": options.host} if options.host else {})},
                job_script_prologue=[f"cd {Path.cwd()}", "export OMP_NUM_THREADS=1",
                                     "export MALLOC_TRIM_THRESHOLD_=134217728"]) as cluster:
            if options.show:
                print(cluster.job_script())
                return 0
            cluster.adapt(maximum=options.workers)
            (folder / "cluster.toml").write_text(
                f'address = "{cluster.scheduler_address}"\n'
                f'ca-file = "{own}"\ncertificate = "{own}"\nkey = "{key}"\n')
            return subprocess.run([sys.executable, "-m", "search.run", "--cluster",
                                   str(folder / "cluster.toml"), *options.search],
                                  check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
