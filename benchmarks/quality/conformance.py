"""Do the estimators pass scikit-learn's checks? Prints each check, its outcome and CPU seconds.

Run as ``python -m benchmarks.quality.conformance`` in the repository's root; ``--small`` takes the
other kinds of attention at small sizes besides, with and without `explainable`. Exits
with 1 if a check failed.
"""

import argparse
import os
import sys
import time
import warnings
from collections import Counter

# Read when the libraries are first imported: without it the array API check skips itself.
os.environ["SCIPY_ARRAY_API"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")

from sklearn.utils.estimator_checks import check_estimator

from tests._estimators import ATTENTIONS, KINDS, variants


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--small", action="store_true", help="also every kind of attention, at small sizes"
    )
    options = parser.parse_args(arguments)
    estimators = [kind() for kind in KINDS]
    if options.small:
        estimators += [*variants(*ATTENTIONS), *variants(*ATTENTIONS, explainable=True)]
    totals = Counter()
    for estimator in estimators:
        totals += run(estimator)
    print(f"\n{len(estimators)} estimators: {summary(totals)}")
    return 1 if totals["failed"] or totals["xfail"] else 0


def run(estimator) -> Counter:
    """Run every check of one estimator and print what came of it."""
    print(f"\n{estimator!r}")
    outcomes: Counter = Counter()
    start = time.process_time()

    def report(*, check_name, status, exception, **_) -> None:
        nonlocal start
        seconds = time.process_time() - start
        reason = f"  {type(exception).__name__}: {exception}" if exception else ""
        print(f"  {status:8} {seconds:7.2f} s  {check_name}{reason}", flush=True)
        outcomes[status] += 1
        outcomes["seconds"] += seconds
        start = time.process_time()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(estimator, on_fail=None, on_skip=None, callback=report)
    print(f"  {summary(outcomes)}")
    return outcomes


def summary(outcomes: Counter) -> str:
    counts = ", ".join(f"{outcomes[status]} {status}" for status in ("passed", "skipped", "failed"))
    return f"{counts}; {outcomes['xfail']} expected failures; {outcomes['seconds']:.0f} CPU s"


if __name__ == "__main__":
    sys.exit(main())
