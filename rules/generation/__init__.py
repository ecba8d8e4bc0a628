"""Generation: what the model writes to the prompts of its template."""
