"""What tokens learn from each other before the tasks read them: one kind of context per file."""

from .efficient import EFFICIENT, unordered_encoder
from .field_pooling import FieldPooling
from .list_attention import ListEncoder
from .local_attention import FieldContext, Nearness, local_encoder
from .self_attention import SelfAttentionBlock, SelfAttentionEncoder
from .step_attention import StepContext, present_tokens

__all__ = [
    "EFFICIENT",
    "FieldContext",
    "FieldPooling",
    "ListEncoder",
    "Nearness",
    "SelfAttentionBlock",
    "SelfAttentionEncoder",
    "StepContext",
    "local_encoder",
    "present_tokens",
    "unordered_encoder",
]
