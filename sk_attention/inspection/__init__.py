"""What a fitted model attends to, as numbers and as pictures."""

from sk_attention.inspection._attention_display import AttentionDisplay
from sk_attention.inspection._attention_shift import attention_shift

__all__ = ["AttentionDisplay", "attention_shift"]
