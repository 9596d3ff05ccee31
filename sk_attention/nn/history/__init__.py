"""What a recommendation reads of a history: one kind of reading per file."""
