"""Special tokens: the beginning of sequence, the end of sequence and the terminators of turns."""
