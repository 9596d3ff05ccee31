"""Networks in plain torch: no scikit-learn, no skorch, no numpy."""
