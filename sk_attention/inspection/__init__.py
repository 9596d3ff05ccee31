"""What a fitted model attends to, as numbers and as pictures."""

from sk_attention.inspection._attention_display import AttentionDisplay
from sk_attention.inspection._attention_drift import attention_drift
from sk_attention.inspection._attention_shift import attention_shift
from sk_attention.inspection._attribute import attribute
from sk_attention.inspection._card import faithfulness_card
from sk_attention.inspection._fairness import fairness
from sk_attention.inspection._fairness_display import FairnessDisplay
from sk_attention.inspection._faithfulness import faithfulness
from sk_attention.inspection._faithfulness_display import FaithfulnessDisplay
from sk_attention.inspection._report import report
from sk_attention.inspection._shift_display import AttentionShiftDisplay
from sk_attention.inspection._token_display import TokenDisplay

__all__ = [
    "AttentionDisplay",
    "AttentionShiftDisplay",
    "FairnessDisplay",
    "FaithfulnessDisplay",
    "TokenDisplay",
    "attention_drift",
    "attention_shift",
    "attribute",
    "fairness",
    "faithfulness",
    "faithfulness_card",
    "report",
]
