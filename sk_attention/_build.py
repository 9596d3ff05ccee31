"""From encoders and parameters to a network."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ._validation import check_heads, check_layers, forbidden_features
from .data.fields import TableEncoder
from .data.groups import ColumnGroup
from .data.numeric import BinEncoder
from .nn.additive import AdditiveNetwork
from .nn.bags import BagTokens
from .nn.encoders import (
    FieldContext,
    ListEncoder,
    Nearness,
    SelfAttentionEncoder,
    local_encoder,
    unordered_encoder,
)
from .nn.encoders.local_attention import FARTHEST
from .nn.features import FeatureVectors
from .nn.layers import linear
from .nn.multi_task import MultiTaskNetwork, Sizes, TaskNetwork
from .nn.tokens import CategoryTokens, PeriodicTokens, PiecewiseTokens, Tokens
from .nn.vectors import VectorTokens

# All tokens of a row together hold about this many numbers at the most, unless that would leave
# fewer than MIN_EMBEDDING_DIM to a token: wide tables get small tokens.
MAX_INPUTS = 4096
MIN_EMBEDDING_DIM = 4
MAX_EMBEDDING_DIM = 16
MAX_POOLED_DIM = 128
MAX_EMBEDDED = 2**23

# Members cost time in proportion to tasks x members x inputs. Twice as many are no more accurate
# (docs/decisions/0009-the-default-recipe.md).
MAX_MEMBERS = 8
MIN_MEMBERS = 4
MAX_TOWERS = 32
MAX_MEMBER_INPUTS = 65_536


def build_network(
    estimator: Any,
    encoder: TableEncoder,
    groups: NDArray[np.intp],
    n_outputs: Sequence[int],
    seed: int,
) -> TaskNetwork:
    """Return the network that an estimator's parameters describe, for its encoded data.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        Gives the parameters.
    encoder : TableEncoder
        The fitted encoder of X.
    groups : ndarray of shape (n_features,)
        The field of each feature.
    n_outputs : sequence of int
        Outputs of each task.
    seed : int
        Seed of the initial weights.

    Returns
    -------
    network : TaskNetwork
        float32, on the CPU.

    Raises
    ------
    ValueError
        If ``embedding_dim`` is not a multiple of ``n_heads``, a layer has no units, or ``forbid``
        asks for what cannot be kept.
    """
    forbidden = None
    if estimator.forbid:
        forbidden = forbidden_features(estimator, one_field=encoder.is_sparse_)
    generator = torch.Generator().manual_seed(seed)
    n_tokens, n_queries = len(encoder.field_features_), len(n_outputs)
    attention = estimator.attention
    if attention == "self":
        n_queries = 1
    elif encoder.is_sparse_:
        attention = "cross"  # a single field has no other to look at
    embedding_dim = estimator.embedding_dim
    if embedding_dim == "auto":
        n_codes = len(encoder.bags.prior_)
        embedding_dim = auto_embedding_dim(n_tokens, estimator.n_heads, n_codes)
    check_heads(embedding_dim, estimator.n_heads)
    n_members = estimator.n_members
    if n_members == "auto":
        n_members = auto_members(len(n_outputs), n_tokens * embedding_dim)
    sizes = Sizes(
        attention=attention,
        embedding_dim=embedding_dim,
        n_heads=estimator.n_heads,
        n_layers=estimator.n_layers,
        n_members=n_members,
        hidden_layer_sizes=check_layers(estimator.hidden_layer_sizes),
        dropout=estimator.dropout,
        sharpness=estimator.attention_sharpness,
        normalization=estimator.attention_normalization,
        efficient=estimator.efficient,
        nearness=build_nearness(estimator, encoder),
        n_channels=encoder.n_channels_,
    )
    context = build_context(estimator, encoder, sizes, n_queries, generator)
    normalization = sizes.normalization
    tokens = build_tokens(encoder, embedding_dim, n_queries, generator, normalization, context)
    field = groups[encoder.field_features_].tolist()
    if not estimator.explainable:
        return MultiTaskNetwork(tokens, n_tokens, n_outputs, sizes, generator, field)
    network = AdditiveNetwork(tokens, n_tokens, n_outputs, sizes, generator, field)
    if forbidden is not None:
        network.forbid(torch.as_tensor(forbidden[:, encoder.field_features_]))
    return network


def build_tokens(
    encoder: TableEncoder,
    embedding_dim: int,
    n_queries: int,
    generator: torch.Generator,
    normalization: str = "softmax",
    context: FieldContext | None = None,
) -> Tokens:
    """Return the tokens for a table's codes.

    Parameters
    ----------
    encoder : TableEncoder
        The fitted encoder.
    embedding_dim : int
        Size of a token.
    n_queries : int
        Queries that read fields of several tokens, each in its own way.
    generator : torch.Generator
        Source of the initial weights.
    normalization : {"softmax", "sparsemax", "entmax"}, default="softmax"
        How attention within fields of several tokens becomes weights.
    context : FieldContext, default=None
        Reads these fields in their order.

    Returns
    -------
    tokens : Tokens
        float32, on the CPU.
    """
    numbers: PiecewiseTokens | PeriodicTokens | None = None
    if isinstance(encoder.numbers, BinEncoder) and encoder.numbers.n_columns_:
        edges = torch.as_tensor(encoder.numbers.edges_, dtype=torch.float32)
        numbers = PiecewiseTokens(edges, embedding_dim, generator)
    elif encoder.numbers.n_columns_:
        numbers = PeriodicTokens(encoder.numbers.n_columns_, embedding_dim, generator)
    cardinalities = encoder.categories.cardinalities_
    categories = CategoryTokens(cardinalities, embedding_dim, generator) if cardinalities else None
    sizes, bags = encoder.vectors.sizes_, None
    vectors = VectorTokens(sizes, embedding_dim, generator) if sizes else None
    if len(encoder.bags.prior_):
        prior = torch.as_tensor(encoder.bags.prior_, dtype=torch.float32)
        n_fields = encoder.n_bags_
        bags = BagTokens(
            prior, n_fields, n_queries, embedding_dim, generator, normalization, context
        )
    return Tokens(numbers, categories, vectors, bags, encoder.n_channels_)


def build_nearness(estimator: Any, encoder: TableEncoder) -> Nearness | None:
    """Return which tokens may read which where they have an order.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        Gives the parameters.
    encoder : TableEncoder
        The fitted encoder of X.

    Returns
    -------
    nearness : Nearness or None
        None where nothing has an order, or no token looks at another.

    Raises
    ------
    ValueError
        If a parameter asks for what has no meaning there.
    """
    window, causal = estimator.attention_window, estimator.causal
    if estimator.efficient is not None and estimator.attention == "cross":
        raise ValueError(
            "efficient says how features look at each other, which attention 'self', 'double' and "
            f"'hierarchical' let them do; got efficient={estimator.efficient!r} and "
            "attention='cross'."
        )
    alone = encoder.is_ordered_ and not encoder.n_channels_ and estimator.n_features_in_ == 1
    if estimator.efficient is not None and alone:
        raise ValueError(
            "efficient says how features look at each other, but X has a single one. Its words or "
            "items look at those near them, which attention_window says how far; got "
            f"efficient={estimator.efficient!r}."
        )
    in_order = encoder.is_ordered_ and estimator.attention != "cross"
    if in_order and not (estimator.efficient and encoder.n_channels_):
        adaptive = window == "adaptive"
        farthest = FARTHEST if isinstance(window, str) else window
        return Nearness(farthest if farthest is None else int(farthest), adaptive, causal)
    for name, asked in [("attention_window", window != "auto"), ("causal", causal)]:
        if asked:
            raise ValueError(
                f"{name}={getattr(estimator, name)!r} says how words, items of a list or steps of "
                "an array of three dimensions look at those before and after them. It needs an X "
                'that has such, attention "self", "double" or "hierarchical", and for steps '
                f"efficient=None; got {'an' if encoder.is_ordered_ else 'no'} order in X, "
                f"attention={estimator.attention!r} and efficient={estimator.efficient!r}."
            )
    return None


def build_context(
    estimator: Any,
    encoder: TableEncoder,
    sizes: Sizes,
    n_queries: int,
    generator: torch.Generator,
) -> FieldContext | None:
    """Return what lets the tokens of a field of several look at each other.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        Gives the kind of attention.
    encoder : TableEncoder
        The fitted encoder of X.
    sizes : Sizes
        Sizes of the network.
    n_queries : int
        Queries that read the fields.
    generator : torch.Generator
        Source of the initial weights.

    Returns
    -------
    context : FieldContext or None
        float32, on the CPU; None where there are no such fields, or their tokens do not.
    """
    if not encoder.n_bags_ or estimator.attention == "cross":
        return None
    stack = sizes.embedding_dim, sizes.n_heads, sizes.n_layers, sizes.dropout
    within: SelfAttentionEncoder | ListEncoder
    if sizes.nearness is None:
        within = ListEncoder(unordered_encoder(*stack, sizes.efficient, generator))
    else:
        within = local_encoder(*stack, sizes.nearness, generator)
    return FieldContext(within, n_queries, sizes.embedding_dim, sizes.sharpness, generator)


def build_features(
    group: ColumnGroup, embedding_dim: int, generator: torch.Generator
) -> FeatureVectors | None:
    """Return what makes one vector of a group of columns.

    Parameters
    ----------
    group : ColumnGroup
        The fitted group.
    embedding_dim : int
        Size of the vector.
    generator : torch.Generator
        Source of the initial weights.

    Returns
    -------
    features : FeatureVectors or None
        float32, on the CPU; None for a group without columns.
    """
    if not len(group):
        return None
    tokens = vectors = None
    if group.n_values:
        tokens = build_tokens(group.encoder_, embedding_dim, 1, generator)
    if group.n_numbers:
        vectors = linear(group.n_numbers, embedding_dim, generator)
    return FeatureVectors(tokens, vectors, group.name)


def auto_embedding_dim(n_tokens: int, n_heads: int, n_codes: int = 0) -> int:
    """Return 16, less for tables of more than 256 columns, and a multiple of ``n_heads``.

    Parameters
    ----------
    n_tokens : int
        Tokens of a row: its fields.
    n_heads : int
        Heads of the attention.
    n_codes : int, default=0
        Codes of fields of several tokens. What many words say together does not fit in 16 numbers:
        where there are any, tokens are of 128 in tables of up to 32 columns, fewer where all codes
        together would take more than 8 million.

    Returns
    -------
    embedding_dim : int
        At least 4: the power of two at which all tokens of a row hold about 4,096 numbers.
    """
    fair = 2 ** int(log2(MAX_INPUTS / n_tokens)) if n_tokens <= MAX_INPUTS else 1
    most = MAX_EMBEDDING_DIM
    if n_codes:
        most = max(min(MAX_POOLED_DIM, 2 ** int(log2(MAX_EMBEDDED / n_codes))), most)
    dim = min(max(fair, MIN_EMBEDDING_DIM), most)
    return -(-dim // n_heads) * n_heads


def auto_members(n_tasks: int, n_inputs: int) -> int:
    """Return 8, fewer for many tasks or very wide tables.

    Parameters
    ----------
    n_tasks : int
        Number of tasks: tasks x members stay about 32.
    n_inputs : int
        Numbers that a tower reads of a row: members x inputs stay about 65,536.

    Returns
    -------
    n_members : int
        From 4 to 8.
    """
    by_tasks = MAX_TOWERS // n_tasks
    by_width = MAX_MEMBER_INPUTS // n_inputs
    return max(min(MAX_MEMBERS, by_tasks, by_width), MIN_MEMBERS)
