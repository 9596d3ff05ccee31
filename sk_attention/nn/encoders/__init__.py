"""What tokens learn from each other before the tasks read them: one kind of context per file."""

from .field_pooling import FieldPooling
from .self_attention import SelfAttentionEncoder

__all__ = ["FieldPooling", "SelfAttentionEncoder"]
