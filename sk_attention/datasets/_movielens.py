"""MovieLens: who rated which movie, read from a folder or fetched from GroupLens."""

import io
import os
import shutil
import zipfile
import zlib
from http.client import HTTPException
from importlib.resources import files
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

from sklearn.datasets import get_data_home
from sklearn.utils import Bunch

from sk_attention.datasets._frames import import_pandas

URL = "https://files.grouplens.org/datasets/movielens/{}.zip"
NAMES = ["ml-latest-small", "ml-latest", "ml-100k", "ml-1m", "ml-10m", "ml-20m", "ml-25m", "ml-32m"]
# The file of ratings, that of movies, and where the ratings' four columns are. A single ":" parts
# more quickly than "::" and leaves an empty column after each.
LAYOUTS: list[tuple[str, str, dict[str, Any]]] = [
    ("ratings.csv", "movies.csv", {"sep": ",", "header": 0, "usecols": [0, 1, 2, 3]}),
    ("ratings.dat", "movies.dat", {"sep": ":", "header": None, "usecols": [0, 2, 4, 6]}),
    ("u.data", "u.item", {"sep": "\t", "header": None, "usecols": [0, 1, 2, 3]}),
]
GENRES = (  # the last columns of u.item
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
)


def fetch_movielens(
    folder: str | os.PathLike[str] | None = None,
    *,
    name: str = "ml-latest-small",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Read ratings of movies by users of MovieLens, fetched from GroupLens where missing.

    A folder may hold any of the three layouts in which GroupLens publishes: ``ratings.csv`` and
    ``movies.csv``; ``ratings.dat`` and ``movies.dat`` (ml-1m, ml-10m); ``u.data`` and ``u.item``
    (ml-100k). The data are for research and not for commercial use, and no part of this package;
    the README in the folder tells their terms.

    Parameters
    ----------
    folder : path-like, default=None
        Folder that holds the data; nothing is fetched then, and the other parameters play no role.
        None means ``movielens/<name>`` in `data_home`.
    name : str, default="ml-latest-small"
        Which set: "ml-latest-small", "ml-latest", "ml-100k", "ml-1m", "ml-10m", "ml-20m", "ml-25m"
        or "ml-32m". GroupLens changes the two of them called latest now and then.
    data_home : path-like, default=None
        Where scikit-learn keeps data; None means what `sklearn.datasets.get_data_home` says.
    download_if_missing : bool, default=True
        Whether to fetch what is not there from files.grouplens.org, or raise an OSError.

    Returns
    -------
    ratings : Bunch
        The interactions, the items, and a description:

        - ``data``, DataFrame in the order of time: user_id (int64), item_id (int64), timestamp
          (datetime64[ns], UTC without a time zone) and rating (float64, 0.5 to 5).
        - ``item_features``, DataFrame: item_id (int64), title (str) and genres (str, parted by
          "|"), one row for each movie, rated or not.
        - ``DESCR``, str: columns, source and terms.

    Raises
    ------
    ImportError
        If pandas is not installed.
    OSError
        If the data are missing, or could not be fetched.
    ValueError
        If there is no set of that name, or a file is not one of MovieLens.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sk_attention.datasets import fetch_movielens
    >>> with TemporaryDirectory() as folder:  # one rating, in place of those of GroupLens
    ...     _ = Path(folder, "ratings.dat").write_text("7::3::4.5::86400")
    ...     _ = Path(folder, "movies.dat").write_text("3::Jaws (1975)::Action|Horror")
    ...     ratings = fetch_movielens(folder)
    >>> print(ratings.data.to_string(index=False))
     user_id  item_id  timestamp  rating
           7        3 1970-01-02     4.5
    >>> print(ratings.item_features.to_string(index=False))
     item_id       title        genres
           3 Jaws (1975) Action|Horror
    """
    pd = import_pandas("fetch_movielens")
    if folder is None:
        folder = _fetched(name, data_home, download_if_missing)
    ratings, movies, options = _layout(Path(folder))
    description = files("sk_attention.datasets") / "data" / "movielens.txt"
    return Bunch(
        data=_read(_ratings, pd, ratings, options),
        item_features=_read(_movies, pd, movies),
        DESCR=description.read_text(encoding="utf-8"),
    )


def _layout(folder: Path) -> tuple[Path, Path, dict[str, Any]]:
    """Which files of the folder to read, and how to read the ratings."""
    for ratings, movies, options in LAYOUTS:
        if (folder / ratings).is_file() and (folder / movies).is_file():
            return folder / ratings, folder / movies, options
    pairs = "; ".join(f"{ratings} and {movies}" for ratings, movies, _ in LAYOUTS)
    raise FileNotFoundError(f"MovieLens needs one of these pairs of files in {folder}: {pairs}.")


def _read(reader: Any, pd: Any, path: Path, *options: Any) -> Any:
    try:
        table = reader(pd, path, *options)
        if table.empty:
            raise ValueError("it holds nothing")
    except ValueError as error:
        raise ValueError(f"{path} is not what MovieLens calls {path.name}: {error}.") from error
    return table


def _ratings(pd: Any, path: Path, options: dict[str, Any]) -> Any:
    names = ["user_id", "item_id", "rating", "timestamp"]
    dtypes = dict.fromkeys(names, "int64") | {"rating": "float64"}
    data = pd.read_csv(path, names=names, dtype=dtypes, **options)
    data["timestamp"] = pd.to_datetime(data["timestamp"], unit="s").astype("datetime64[ns]")
    return data.sort_values("timestamp", kind="stable", ignore_index=True)[
        ["user_id", "item_id", "timestamp", "rating"]
    ]


def _movies(pd: Any, path: Path) -> Any:
    names = ["item_id", "title", "genres"]
    text = _text(path)
    if path.suffix == ".csv":
        return pd.read_csv(
            io.StringIO(text), names=names, header=0, na_filter=False, dtype={"item_id": "int64"}
        )
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line]
    if path.suffix == ".item":
        rows = [_parts(line, "|", 5 + len(GENRES)) for line in lines]
        rows = [[row[0], row[1], _genres(row[5:])] for row in rows]
    else:
        rows = [_parts(line, "::", 3) for line in lines]
    return pd.DataFrame(rows, columns=names).astype({"item_id": "int64"})


def _text(path: Path) -> str:
    """Newer sets are in UTF-8, older ones in Latin-1."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _parts(line: str, separator: str, n_parts: int) -> list[str]:
    parts = line.split(separator)
    if len(parts) != n_parts:
        raise ValueError(f"{len(parts)} parts instead of {n_parts} in the line {line!r}")
    return parts


def _genres(flags: list[str]) -> str:
    return "|".join(genre for genre, flag in zip(GENRES, flags, strict=True) if flag == "1")


def _fetched(name: str, data_home: Any, download_if_missing: bool) -> Path:
    """Folder of the set in the data home, filled where it is allowed and needed."""
    if name not in NAMES:
        raise ValueError(f"name must be one of {NAMES}, got {name!r}.")
    folder = Path(get_data_home(data_home)) / "movielens" / name
    try:
        _layout(folder)
    except FileNotFoundError as error:
        if not download_if_missing:
            raise OSError(
                f"{name} is not in {folder}, and download_if_missing is False."
            ) from error
        _download(URL.format(name), folder)
    return folder


def _download(url: str, folder: Path) -> None:
    """Fill the folder from a zip file, at the end only: what fails leaves no trace in it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as temporary:
        archive = Path(temporary) / "archive"
        try:
            with urlopen(url, timeout=60) as response, archive.open("wb") as file:
                shutil.copyfileobj(response, file)
            unpacked = _unpack(archive)
        except (OSError, HTTPException, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise OSError(
                f"Could not fetch {url} ({error}). Where you have its files, give the parameter "
                "folder."
            ) from error
        folder.mkdir(exist_ok=True)
        for path in unpacked:
            path.replace(folder / path.name)


def _unpack(archive: Path) -> list[Path]:
    """Write ratings, movies and README beside the archive, without the folder they have in it."""
    with zipfile.ZipFile(archive) as zipped:
        paths = {name: PurePosixPath(name) for name in zipped.namelist()}
        for path in paths.values():
            if path.is_absolute() or ".." in path.parts:
                raise zipfile.BadZipFile(f"{path} leads out of the zip file")
        members = {path.name: name for name, path in paths.items()}
        pairs = [pair for *pair, _ in LAYOUTS if members.keys() >= set(pair)]
        if not pairs:
            raise zipfile.BadZipFile("the zip file holds no ratings")
        wanted = [*pairs[0], *(name for name in members if name.startswith("README"))]
        for name in wanted:
            with (
                zipped.open(members[name]) as member,
                (archive.parent / name).open("wb") as file,
            ):
                shutil.copyfileobj(member, file)
    return [archive.parent / name for name in wanted]
