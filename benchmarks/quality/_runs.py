"""Many fits, one row of a CSV file each: options, processes, and going on where a run stopped."""

import argparse
import contextlib
import csv
import json
import logging
import multiprocessing
import os
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from benchmarks._common import commit, environment, set_threads
from benchmarks.quality._scores import METRICS

MAX_SCORED = 10_000
NOT_MEASURED = dict.fromkeys(("n_scored", *METRICS, "fit_s", "fit_cpu_s", "predict_s"), "")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def options(doc, models):
    """Return a parser with what all such benchmarks have."""
    parser = argparse.ArgumentParser(
        description=doc.strip(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", help="default: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--models", nargs="*", default=models, help=f"default: {' '.join(models)}")
    parser.add_argument(
        "--variant",
        type=variant,
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="ours with these parameters, recorded under NAME; repeatable",
    )
    parser.add_argument("--part", choices=["validation", "test"], default="test")
    parser.add_argument("--threads", type=int, default=2, help="of each process (default: 2)")
    parser.add_argument("--processes", type=int, default=1, help="fits at once (default: 1)")
    parser.add_argument("--out", type=Path, help="CSV file; fits that stand in it are skipped")
    return parser


def add_table_options(parser):
    """Add the options of benchmarks of tables: which of OpenML, and how much of each."""
    parser.add_argument("--openml", type=int, nargs="+", default=[], metavar="ID")
    parser.add_argument(
        "--max-rows", type=int, default=10_000, help="most rows to train on (default: 10000)"
    )


def set_names(args, default):
    """Return the sets that are asked for: `default` if no others are, those of OpenML last."""
    sets = args.sets or ([] if args.openml else default)
    return [*sets, *(f"openml_{data_id}" for data_id in args.openml)]


def variant(text):
    """Return the name and the parameters of NAME=JSON."""
    name, _, parameters = text.partition("=")
    found = json.loads(parameters)
    if not name or not isinstance(found, dict):
        raise ValueError(text)
    return name, found


def models_of(args, known, parser):
    """Return (name, parameters as JSON) of all models and variants; end if a name is wrong."""
    unknown = set(args.models) - set(known)
    taken = {name for name, _ in args.variant} & set(known)
    if unknown or taken:
        parser.error(f"no such model, or a variant named like one: {sorted(unknown | taken)}")
    variants = [(name, json.dumps(found, sort_keys=True)) for name, found in args.variant]
    return [*((name, "") for name in args.models), *variants]


def read(path):
    """Return the rows of a CSV file, none if there is no such file."""
    if path is None or not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def append(path, records):
    """Add records to a CSV file, in its own order of columns; new columns come last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    old = _header(path)
    names = list(dict.fromkeys([*old, *records[0]]))
    rows = [] if old == names else read(path)
    with path.open("a" if old == names else "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, restval="")
        if old != names:
            writer.writeheader()
        writer.writerows([*rows, *records])


def _header(path):
    """Return the names of a file's columns, none if there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file), [])


def outstanding(jobs, rows, key):
    """Return the jobs whose values of ``key`` stand in no row.

    A name that stands for other parameters than before would mix two models, so it is refused;
    rows of another commit are told of.
    """
    known = {row["model"]: row["parameters"] for row in rows}
    for job in jobs:
        if known.get(job["model"], job["parameters"]) != job["parameters"]:
            raise SystemExit(f"{job['model']} has other parameters in the file: name it anew.")
    here = commit() or "unknown"
    others = sorted({row.get("commit") or "unknown" for row in rows} - {here})
    if others:
        print(f"Warning: rows of commit {', '.join(others)} are kept; this is {here}.", flush=True)
    done = {tuple(row[name] for name in key) for row in rows}
    return [job for job in jobs if tuple(str(job[name]) for name in key) not in done]


def run(function, jobs, args):
    """Yield ``function(job)``, a list of records, as jobs are done; append them to ``args.out``.

    Every process is a fresh one that is given its threads before anything is imported.
    """
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(args.threads)))
    pool = ProcessPoolExecutor(
        args.processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(args.threads,),
    )
    try:
        waiting = [pool.submit(function, job) for job in jobs]
        for number, future in enumerate(as_completed(waiting), 1):
            records = future.result()
            if args.out and records:
                append(args.out, records)
            yield number, records
    finally:
        pool.shutdown(cancel_futures=True)


def _start(n_threads):
    set_threads(n_threads)
    # Peers warn of what their own defaults bring about; the results tell enough.
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)


@contextlib.contextmanager
def quietly():
    """Keep what peers print, and the files they leave where they run, out of the way."""
    here = Path.cwd()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


def timed_fit(model, X, y):
    """Fit and return seconds by the clock and of all threads of this process."""
    start, start_cpu = time.perf_counter(), time.process_time()
    model.fit(X, y)
    return {
        "fit_s": time.perf_counter() - start,
        "fit_cpu_s": time.process_time() - start_cpu,
    }


def where(job, n_threads, peer):
    """Return the columns that say where and with what a row came about."""
    environment_ = environment()
    environment_["torch_threads"] = environment_.pop("threads")
    return {"threads": n_threads, "peer": peer, "parameters": job["parameters"], **environment_}


def failure(error):
    """Return an error in one line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:300]
