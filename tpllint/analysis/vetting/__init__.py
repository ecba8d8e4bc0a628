"""What a stranger's template may hide: what decides on words, what becomes of messages, what a reader does not see."""
