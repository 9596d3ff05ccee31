"""The gallery runs as it stands, in an empty folder; where data is missing it says so."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "docs" / "examples").glob("plot_*.py"))
READ_A_FOLDER = [path for path in EXAMPLES if "SK_ATTENTION_DATA" in path.read_text("utf-8")]
NEED_NOTHING = [path for path in EXAMPLES if path not in READ_A_FOLDER]


def run(example, folder):
    """Run a script in a folder, without data from elsewhere."""
    return subprocess.run(
        [sys.executable, str(example)],
        cwd=folder,
        env=os.environ | {"MPLBACKEND": "Agg", "SK_ATTENTION_DATA": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("example", NEED_NOTHING, ids=lambda path: path.stem)
def test_example_runs_and_writes_what_it_names(example, tmp_path):
    done = run(example, tmp_path)
    assert done.returncode == 0, done.stderr
    name = example.stem.removeprefix("plot_")
    written = {path.name for path in (tmp_path / "runs" / name).iterdir()}
    assert {"attention.png", "predictions.csv"} <= written
    assert all(file in done.stdout for file in written)


@pytest.mark.parametrize("example", READ_A_FOLDER, ids=lambda path: path.stem)
def test_example_without_its_data_says_in_one_line_what_to_do(example, tmp_path, monkeypatch):
    monkeypatch.setenv("SK_ATTENTION_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=r"^Set SK_ATTENTION_DATA to a folder that holds .*\.$"):
        runpy.run_path(str(example))


@pytest.mark.slow
def test_headlines_of_the_user_are_read(tmp_path):
    moods = [("falling", "negative"), ("rising", "positive"), ("steady", "neutral")] * 30
    topics = ["banks", "oil"] * 45
    lines = [f"{word} share,{mood},{t}" for (word, mood), t in zip(moods, topics, strict=True)]
    (tmp_path / "headlines.csv").write_text("\n".join(["text,sentiment,topic", *lines]), "utf-8")
    example = next(path for path in READ_A_FOLDER if path.stem == "plot_sentiment")
    done = run(example, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "SMS" not in done.stdout
