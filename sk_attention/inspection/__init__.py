"""What a fitted model attends to, as numbers and as pictures."""

from sk_attention.inspection._attention_display import AttentionDisplay
from sk_attention.inspection._attention_shift import attention_shift
from sk_attention.inspection._attribute import attribute
from sk_attention.inspection._card import faithfulness_card
from sk_attention.inspection._faithfulness import faithfulness

__all__ = [
    "AttentionDisplay",
    "attention_shift",
    "attribute",
    "faithfulness",
    "faithfulness_card",
]
