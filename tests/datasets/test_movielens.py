import io
import os
import socket
import zipfile
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.error import URLError

import numpy as np
import pytest

from sk_attention.datasets import _movielens, fetch_movielens

pd = pytest.importorskip("pandas")

# The same four ratings of three movies in each layout, not in the order of time.
CSV = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,10,4.5,300\n1,20,3.0,100\n2,10,5.0,100\n"
    "2,30,1.0,200\n",
    "movies.csv": 'movieId,title,genres\n10,"Été, L\' (1999)",Drama|War\n20,None (2001),Sci-Fi\n'
    "30,Alien: 2 (1980),(no genres listed)\n",
}
DAT = {
    "ratings.dat": "1::10::4.5::300\n1::20::3::100\n2::10::5::100\n2::30::1::200\n",
    "movies.dat": "10::Été, L' (1999)::Drama|War\n20::None (2001)::Sci-Fi\n"
    "30::Alien: 2 (1980)::(no genres listed)\n",
}
FLAGS = {10: {8, 17}, 20: {15}, 30: set()}
TAB = {
    "u.data": "1\t10\t4.5\t300\n1\t20\t3\t100\n2\t10\t5\t100\n2\t30\t1\t200\n",
    "u.item": "".join(
        f"{item}|{title}|01-Jan-1999||http://imdb|"
        + "|".join(str(int(flag in FLAGS[item])) for flag in range(19))
        + "\n"
        for item, title in [(10, "Été, L' (1999)"), (20, "None (2001)"), (30, "Alien: 2 (1980)")]
    ),
}


def fill(folder, texts, encoding="utf-8"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode(encoding))
    return folder


def zipped(texts, top="ml-any/"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(top + name, text)
    return buffer.getvalue()


@pytest.fixture
def opened(monkeypatch):
    """Put answers into the returned list; addresses that were asked for come after them."""
    log = []

    def answer(url, timeout):
        assert timeout > 0
        content = log.pop(0)
        log.append(url)
        if isinstance(content, Exception):
            raise content
        return io.BytesIO(content)

    monkeypatch.setattr(_movielens, "urlopen", answer)
    return log


def assert_the_four_ratings(ratings):
    assert ratings.data.columns.tolist() == ["user_id", "item_id", "timestamp", "rating"]
    assert ratings.data["timestamp"].dtype == "datetime64[ns]"
    assert ratings.data["user_id"].dtype == ratings.data["item_id"].dtype == np.int64
    assert ratings.data["rating"].dtype == np.float64
    seconds = (ratings.data["timestamp"] - pd.Timestamp(0)) // pd.Timedelta("1s")
    assert ratings.data.assign(timestamp=seconds).to_numpy().tolist() == [
        [1, 20, 100, 3.0],
        [2, 10, 100, 5.0],
        [2, 30, 200, 1.0],
        [1, 10, 300, 4.5],
    ]
    assert ratings.item_features.columns.tolist() == ["item_id", "title", "genres"]
    assert ratings.item_features["item_id"].dtype == np.int64
    assert ratings.item_features["title"].tolist() == [
        "Été, L' (1999)",
        "None (2001)",
        "Alien: 2 (1980)",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("texts", [CSV, DAT, TAB], ids=["csv", "dat", "tab"])
def test_every_layout_is_read_alike(texts, encoding, tmp_path):
    ratings = fetch_movielens(fill(tmp_path, texts, encoding))
    assert_the_four_ratings(ratings)
    no_genres = "" if texts is TAB else "(no genres listed)"
    assert ratings.item_features["genres"].tolist() == ["Drama|War", "Sci-Fi", no_genres]
    assert "GroupLens" in ratings.DESCR
    assert "No commercial use" in ratings.DESCR


@pytest.mark.parametrize("texts", [CSV, DAT, TAB], ids=["csv", "dat", "tab"])
def test_line_ends_of_windows_are_read(texts, tmp_path):
    texts = {name: text.replace("\n", "\r\n") for name, text in texts.items()}
    assert_the_four_ratings(fetch_movielens(str(fill(tmp_path, texts))))


def test_a_folder_without_the_files_says_which_ones(tmp_path):
    fill(tmp_path, {"ratings.csv": "", "movies.dat": ""})
    with pytest.raises(FileNotFoundError, match=r"one of these pairs of files in .*u.data and u.i"):
        fetch_movielens(tmp_path)


@pytest.mark.parametrize(
    ("texts", "name", "text", "message"),
    [
        (CSV, "ratings.csv", "userId,movieId,rating,timestamp\n1,ten,3,4\n", "ratings.csv: .*"),
        (CSV, "ratings.csv", "", "ratings.csv: it holds nothing"),
        (DAT, "ratings.dat", "1::2::3\n", "ratings.dat: .*"),
        (CSV, "movies.csv", "movieId,title,genres\nten,a,b\n", "movies.csv: .*ten"),
        (DAT, "movies.dat", "1::a\n", "movies.dat: 2 parts instead of 3 in the line '1::a'"),
        (TAB, "u.item", "1|a|0\n", "u.item: 3 parts instead of 24 in the line"),
    ],
)
def test_a_file_of_something_else_is_an_error(texts, name, text, message, tmp_path):
    fill(tmp_path, texts | {name: text})
    with pytest.raises(ValueError, match=rf"is not what MovieLens calls {message}"):
        fetch_movielens(tmp_path)


def test_unknown_name_is_an_error():
    with pytest.raises(ValueError, match=r"name must be one of \['ml-latest-small'.*, got 'ml-2m'"):
        fetch_movielens(name="ml-2m")


def test_missing_data_are_not_fetched_against_the_wish(opened, tmp_path):
    message = r"ml-1m is not in .*movielens.ml-1m, and download_if_missing is False"
    with pytest.raises(OSError, match=message):
        fetch_movielens(name="ml-1m", data_home=tmp_path, download_if_missing=False)
    assert opened == []


@pytest.mark.parametrize(
    ("name", "texts"), [("ml-25m", CSV), ("ml-10m", DAT), ("ml-100k", TAB)], ids=str
)
def test_data_are_fetched_once(name, texts, opened, tmp_path):
    extras = {"README.txt": "terms", "tags.csv": "no use"}
    opened.append(zipped(texts | extras))
    assert_the_four_ratings(fetch_movielens(name=name, data_home=tmp_path))
    assert opened == [f"https://files.grouplens.org/datasets/movielens/{name}.zip"]
    kept = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert kept == {f"movielens/{name}/{file}" for file in [*texts, "README.txt"]}
    assert_the_four_ratings(fetch_movielens(name=name, data_home=tmp_path))
    assert len(opened) == 1
    fetch_movielens(name=name, data_home=tmp_path, download_if_missing=False)


def test_the_data_home_of_scikit_learn_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    fill(tmp_path / "movielens" / "ml-latest-small", CSV)
    assert_the_four_ratings(fetch_movielens())


GOOD = zipped(CSV)


@pytest.fixture
def server(monkeypatch):
    """Serve files by name, on this machine; the returned dictionary holds them."""
    served = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = served.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"") + served.get("missing", 0)))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(_movielens, "URL", f"http://127.0.0.1:{http.server_port}/{{}}.zip")
        yield served
        http.shutdown()
        thread.join()


def test_data_come_over_a_connection(server, tmp_path):
    server["/ml-1m.zip"] = zipped(DAT | {"README": "terms"}, top="ml-1m/")
    assert_the_four_ratings(fetch_movielens(name="ml-1m", data_home=tmp_path))
    server.clear()
    assert_the_four_ratings(fetch_movielens(name="ml-1m", data_home=tmp_path))
    with pytest.raises(OSError, match=r"Could not fetch http://.*/ml-20m.zip \(HTTP Error 404"):
        fetch_movielens(name="ml-20m", data_home=tmp_path)
    server.update({"/ml-20m.zip": GOOD[:-9], "missing": 9})
    with pytest.raises(OSError, match="Could not fetch"):
        fetch_movielens(name="ml-20m", data_home=tmp_path)
    assert not (tmp_path / "movielens" / "ml-20m").exists()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (URLError("no route to host"), "no route to host"),
        (TimeoutError("timed out"), "timed out"),
        (IncompleteRead(b"abc", 7), "IncompleteRead"),
        (b"<html>moved</html>", "File is not a zip file"),
        (GOOD[:-40], "File is not a zip file"),
        (GOOD[:60] + bytes(20) + GOOD[80:], "."),
        (zipped({"other.csv": ""}), "the zip file holds no ratings"),
        (zipped(CSV, top="../"), r"\.\./ratings.csv leads out of the zip file"),
        (zipped(CSV, top="/tmp/"), "/tmp/ratings.csv leads out of the zip file"),
        (zipped(CSV | {"a/../../b": ""}), r"ml-any/a/\.\./\.\./b leads out of the zip file"),
    ],
    ids=[
        "no network",
        "too slow",
        "broken off",
        "no zip file",
        "cut short",
        "damaged",
        "other files",
        "parent folder",
        "root folder",
        "hidden parent folder",
    ],
)
def test_what_could_not_be_fetched_is_one_error_and_leaves_nothing(
    answer, reason, opened, tmp_path
):
    opened.append(answer)
    with pytest.raises(OSError, match=rf"Could not fetch https://.*ml-1m.zip \(.*{reason}") as info:
        fetch_movielens(name="ml-1m", data_home=tmp_path / "home")
    assert "give the parameter folder" in str(info.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    opened.insert(0, GOOD)
    assert_the_four_ratings(fetch_movielens(name="ml-1m", data_home=tmp_path / "home"))


@pytest.mark.skipif("SK_ATTENTION_DATA" not in os.environ, reason="needs the real data")
def test_the_real_ratings_are_read_without_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    folder = Path(os.environ["SK_ATTENTION_DATA"], "recsys", "ml-latest-small")
    ratings = fetch_movielens(folder)
    assert len(ratings.data) == 100_004
    assert ratings.data["user_id"].nunique() == 671
    assert ratings.data["timestamp"].is_monotonic_increasing
    assert str(ratings.data["timestamp"].iloc[-1].date()) == "2016-10-16"
    assert set(ratings.data["item_id"]) <= set(ratings.item_features["item_id"])
    assert len(ratings.item_features) == 9125
    titles = ratings.item_features.set_index("item_id")["title"]
    assert titles[1] == "Toy Story (1995)"
    assert titles.str.contains("é").any()
