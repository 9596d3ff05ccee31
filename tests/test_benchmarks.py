"""The scripts in benchmarks/ do not rot: each is imported, the cheapest are run with tiny sizes."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.utils import Bunch

from benchmarks import _common
from benchmarks.quality import (
    _data,
    _plots,
    _recommender_data,
    _runs,
    compare,
    multi_task,
    recommender,
    tabular,
)
from benchmarks.quality._scores import clustered_mean

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "benchmarks").rglob("*.py")
    if path.stem != "__init__"
)
# What compares with others; the environments of benchmarks/README.md have them.
PEERS = {"catboost", "cornac", "implicit", "lightgbm", "pyarrow", "pytabkit", "pytorch_tabnet"}
PEERS |= {"recbole", "rectools", "skrecsys", "surprise", "xgboost"}

RUNS = {
    "speed.next_item_loss": "--targets 30 --items 40 --repeats 1",
    "speed.predict": "--rows 60 --columns 3 --repeats 1",
    "quality.plateau": "--users 20 --passes 1 --kinds self",
    "quality.recommender": "--sets rings --models popular --protocols leave_one_out --seeds 0 "
    "--threads 1",
    "quality.text_beside_noise": "--rows 60 --kinds cross",
}


def script(name):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in PEERS:
            raise
        return pytest.skip(f"{error.name} is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_imported(name):
    script(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_cheap_scripts_run(name, monkeypatch, capsys):
    for variable in _runs.THREAD_VARIABLES:  # which a run sets
        monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(sys, "argv", [name, *RUNS[name].split()])
    script(f"benchmarks.{name}").main()
    out = capsys.readouterr().out
    assert "Environment: " in out or "NDCG@10" in out
    assert "error" not in out.lower()


@pytest.mark.slow
def test_memory_of_a_fit_that_keeps_several_networks_is_told():
    case = {"shape": "520x3", "attention": "cross", "max_epochs": 1, "tasks": 1, "seed": 0}
    case |= {"precision": "auto", "dtype": "float64", "device": "cpu"}
    measured = script("benchmarks.memory.wide_table").run_case(case)
    assert measured["networks"] > 1
    assert measured["embedding_dim"] > 0


@pytest.mark.slow
def test_stages_of_recommend_are_told_apart():
    measured = script("benchmarks.speed.recommender").recommending(
        {"items": 400, "users": 200, "repeats": 1}
    )
    stages = [measured[name] for name in ("encoding s", "retrieval s", "re-ranking s")]
    assert min(stages) > 0
    assert sum(stages) <= measured["recommend s"] + 0.002  # each is rounded


@pytest.mark.slow
def test_targets_of_next_item_training_are_counted():
    measured = script("benchmarks.speed.next_item_training").run_case(
        {"model": "ours", "users": 10, "items": 30, "device": "cpu"}
    )
    assert measured["targets in a pass"] >= 50
    assert min(measured["s a pass"], measured["targets per s"]) > 0


# ---- files that runs go on with -----------------------------------------------------------------

JOBS = [{"set": name, "model": "ours", "parameters": ""} for name in ("first", "second")]


def test_a_run_goes_on_and_tells_of_rows_of_another_commit(tmp_path, monkeypatch, capsys):
    path = tmp_path / "rows.csv"
    _runs.append(path, [{"set": "first", "model": "ours", "parameters": ""}])
    monkeypatch.setattr(_runs, "commit", lambda: "abc")
    assert _runs.outstanding(JOBS, _runs.read(path), ("set", "model")) == JOBS[1:]
    assert capsys.readouterr().out == ("Warning: rows of commit unknown are kept; this is abc.\n")
    _runs.append(path, [{**JOBS[1], "commit": "abc"}])
    assert [row["commit"] for row in _runs.read(path)] == ["", "abc"]
    _runs.outstanding(JOBS, _runs.read(path)[1:], ("set", "model"))
    assert capsys.readouterr().out == ""


def test_rows_carry_the_commit_of_a_checkout(monkeypatch, tmp_path):
    done = SimpleNamespace(stdout="abc-dirty\n")
    monkeypatch.setattr(_common, "ROOT", tmp_path)
    monkeypatch.setattr(_common.subprocess, "run", lambda command, **options: done)
    commit = _common.commit.__wrapped__  # it is looked up once
    assert commit() == ""
    (tmp_path / ".git").mkdir()
    assert commit() == "abc-dirty"
    monkeypatch.setattr(_common, "commit", commit)
    assert _common.environment()["commit"] == "abc-dirty"


@pytest.mark.parametrize("module", [tabular, multi_task])
def test_a_set_that_fails_to_load_is_recorded(module, monkeypatch):
    def fails(name):
        raise OSError(f"no {name}")

    monkeypatch.setattr(_data, "single_task", fails)
    monkeypatch.setattr(_data, "multi_task", fails)
    job = {"part": "test", "set": "openml_31", "seed": 0, "model": "sk_attention", "max_rows": 9}
    (row,) = module.one_fit({**job, "parameters": "", "threads": 1, "missing": 0.0})
    assert row["error"] == "OSError: no openml_31"
    assert row["set"] == "openml_31"


def test_openml_sets_of_several_tasks_need_several_targets(monkeypatch):
    one = Bunch(target_names=["y"], data=None, target=None)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda data_id, as_frame: one)
    with pytest.raises(ValueError, match=r"set 31 of OpenML names one target: \['y'\]"):
        _data.multi_task("openml_31")


# ---- what is told of many fits ------------------------------------------------------------------


def fits(tasks, seeds, ratio):
    """Return the ratio of every task and seed, as a function of both tells."""
    index = pd.MultiIndex.from_product([["x"], tasks, seeds], names=["set", "task", "seed"])
    return pd.Series([ratio(task, seed) for _, task, seed in index], index)


def test_intervals_take_the_seeds_of_a_task_for_one_task():
    def by_task(task, seed):
        return 2.0 if task else 0.5

    few, many = (clustered_mean(fits([0, 1], range(n), by_task)) for n in (2, 40))
    assert_allclose(few, [1.0, 0.5, 2.0])
    assert_allclose(many, few)  # more seeds tell no more of how tasks differ


def test_intervals_take_the_tasks_of_a_seed_for_one_seed():
    mean, low, high = clustered_mean(fits(range(30), [0, 1], lambda task, seed: 4.0**seed))
    assert_allclose([mean, low, high], [2.0, 1.0, 4.0])


def test_sets_count_alike_however_many_tasks_they_have():
    ratios = fits(range(9), [0], lambda task, seed: 4.0)
    alone = fits([0], [0], lambda task, seed: 1.0).rename({"x": "y"}, level="set")
    assert_allclose(clustered_mean(pd.concat([ratios, alone])), [2.0, 1.0, 4.0])


def test_compare_draws_ranks_losses_and_times(tmp_path, monkeypatch, capsys):
    rows = [
        {"part": "test", "set": name, "seed": 0, "model": model, "max_rows": 9, "n_classes": 2}
        | {"log_loss": loss * scale, "roc_auc": 0.5, "accuracy": 0.5, "ece": 0.1, "error": ""}
        | {"fit_s": 8 * loss, "fit_cpu_s": 1.0, "predict_s": loss, "peer": "x 1"}
        for name, scale in (("a", 1.0), ("b", 3.0))
        for model, loss in (("lightgbm", 0.5), ("ours", 0.25))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "rows.csv", index=False)
    pytest.importorskip("matplotlib")
    panels, draw_panel = [], _plots._draw_panel

    def draw_and_keep(axis, panel, colours):
        panels.append(panel)
        draw_panel(axis, panel, colours)

    monkeypatch.setattr(_plots, "_draw_panel", draw_and_keep)
    argv = ["compare", str(tmp_path / "rows.csv"), "--plot", str(tmp_path / "picture.png")]
    monkeypatch.setattr(sys, "argv", argv)
    compare.main()
    assert "| ours     | 2    | 0.500 [0.500, 0.500]" in capsys.readouterr().out
    expected = [[1, 2], [0.5, 1], [0.5, 1], [0.5, 1]]  # ours is the first
    assert_allclose([panel.values for panel in panels], expected)
    assert (tmp_path / "picture.png").stat().st_size > 0


# ---- files of interactions ----------------------------------------------------------------------


def test_histories_are_read_an_event_or_a_user_a_line(tmp_path):
    (tmp_path / "sasrec.txt").write_text("1 5\n1 7\n2 5\n", encoding="utf-8")
    (tmp_path / "s3rec.txt").write_text("1 5 7\n2 5\n", encoding="utf-8")
    for name in ("sasrec.txt", "s3rec.txt"):
        X = _recommender_data.histories(tmp_path / name)
        assert X.to_numpy().tolist() == [[1, 5], [1, 7], [2, 5]]
        assert list(X) == ["user_id", "item_id"]


def test_movielens_1m_is_read_where_its_file_is(tmp_path, monkeypatch):
    monkeypatch.setattr(_recommender_data, "ROOT", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"ml_1m: there is no .*ratings\.dat; SK_ATTENTION"):
        _recommender_data.interactions("ml_1m")
    (tmp_path / "ml-1m").mkdir()
    file = tmp_path / "ml-1m" / "ratings.dat"
    file.write_text("1::1193::5::978300760\n1::661::3::978302109\n", encoding="utf-8")
    X = _recommender_data.interactions("ml_1m")
    assert X.to_dict("list") == {
        "user_id": [1, 1],
        "item_id": [1193, 661],
        "timestamp": [978300760, 978302109],
    }


def test_an_absent_file_ends_a_run_before_it_begins(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_recommender_data, "ROOT", tmp_path)
    for name, message in (("beauty", "beauty: there is no"), ("beuty", "no such set: beuty")):
        monkeypatch.setattr(sys, "argv", ["recommender", "--sets", name])
        with pytest.raises(SystemExit):
            recommender.main()
        assert message in capsys.readouterr().err
