"""Tables and labels -> tensors; what a column or a label means is decided here."""
