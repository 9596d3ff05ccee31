"""Texts -> one vector each, by an encoder that the user brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.base import clone

from .columns import Column
from .words import split_words

Numbers = NDArray[np.float64]


class TextVectorEncoder:
    """The vector that an encoder gives each text, brought to a common scale.

    The encoder is learned, and mean and scale are taken, on the distinct texts of training, so that
    a row of weight 2 is the same as the row twice.

    Parameters
    ----------
    encoder : None, transformer, callable or mapping
        A transformer is cloned and fitted for each column; a callable takes a list of texts and
        returns an array (n_texts, n_numbers); a mapping holds vectors of words, and a text has the
        mean of those of its words that are known, regardless of case.

    Attributes
    ----------
    sizes_ : list of int
        Numbers of the vectors of each column; empty if there is no encoder.
    """

    sizes_: list[int]

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder

    def fit(self, columns: Sequence[Column]) -> TextVectorEncoder:
        """Learn encoder, mean and scale of each column.

        Parameters
        ----------
        columns : sequence of Column
            Columns of texts.

        Returns
        -------
        self : TextVectorEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If there is an encoder, but no column of texts; or what it returns is not one vector of
            finite numbers per text.
        """
        self.sizes_, self._encoders, self._means, self._scales = [], [], [], []
        if self.encoder is None:
            return self
        if not columns:
            raise ValueError(
                "text_encoder is given, but no column is read as text: name one in text_features."
            )
        for column in columns:
            texts = sorted(set(column.as_texts()))
            encoder = self.encoder
            if isinstance(encoder, Mapping):
                encoder = _WordVectors(encoder)
            elif hasattr(encoder, "transform"):
                encoder = clone(encoder).fit(texts)
            self._encoders.append(encoder)
            vectors = _vectors(encoder, texts, column.name)
            self.sizes_.append(vectors.shape[1])
            mean = vectors.mean(axis=0)
            self._means.append(mean)
            self._scales.append(float(np.sqrt(np.square(vectors - mean).mean())) or 1.0)
        return self

    def transform(self, columns: Sequence[Column], dtype: DTypeLike) -> NDArray[Any]:
        """Return the vectors of all columns side by side.

        Parameters
        ----------
        columns : sequence of Column
            Columns of texts.
        dtype : dtype
            Of the numbers.

        Returns
        -------
        vectors : ndarray of shape (n_rows, sum of ``sizes_``)
            The longest stretch of memory is that of one column.
        """
        out = np.empty((len(columns[0]), sum(self.sizes_)), dtype=dtype)
        stop = 0
        for column, encoder, size, mean, scale in zip(
            columns, self._encoders, self.sizes_, self._means, self._scales, strict=True
        ):
            start, stop = stop, stop + size
            vectors = _vectors(encoder, column.as_texts(), column.name)
            if vectors.shape[1] != size:
                raise ValueError(
                    f"text_encoder gave vectors of {size} numbers for feature {column.name!r} in "
                    f"fit, and of {vectors.shape[1]} now."
                )
            out[:, start:stop] = (vectors - mean) / scale
        return out


class _WordVectors:
    """The mean of the vectors of a text's words; zeros where none is known."""

    def __init__(self, vectors: Mapping[str, Any]) -> None:
        self.vectors = {word.casefold(): np.asarray(own) for word, own in vectors.items()}
        self.size = len(next(iter(self.vectors.values()))) if self.vectors else 0

    def __call__(self, texts: list[str]) -> Numbers:
        out = np.zeros((len(texts), self.size))
        for row, text in enumerate(texts):
            known = [self.vectors[word] for word in split_words(text) if word in self.vectors]
            if known:
                out[row] = np.mean(known, axis=0)
        return out


def _vectors(encoder: Any, texts: list[str], name: str) -> Numbers:
    """Return what an encoder gives for texts, checked."""
    encode = encoder.transform if hasattr(encoder, "transform") else encoder
    vectors = encode(texts)
    if hasattr(vectors, "toarray"):
        raise ValueError(
            f"text_encoder must give dense vectors, found {type(vectors).__name__} for feature "
            f"{name!r}: reduce them, for instance by TruncatedSVD."
        )
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not vectors.shape[1]:
        raise ValueError(
            f"text_encoder must give one vector per text; for {len(texts)} texts of feature "
            f"{name!r} it gave an array of shape {vectors.shape}."
        )
    if not np.isfinite(vectors).all():
        raise ValueError(f"text_encoder gave NaN or infinity for a text of feature {name!r}.")
    return vectors
