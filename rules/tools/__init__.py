"""Tools: how a template declares them, writes calls and shows what they returned."""
