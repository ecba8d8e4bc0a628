"""Training: what a fine-tune learns from, and whether a history stays as it was when turns follow."""
