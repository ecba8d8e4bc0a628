"""Whole model folders that are as they should be, in the manner of the formats of the field, and defects to put into them.

Each folder has a template, a configuration, a tokenizer.json that the `tokenizers` library wrote, and the token ids at
which the model stops. Nothing in it is wrong, so nothing may be said about it.
"""
