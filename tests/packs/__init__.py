"""Rule packs that misbehave, for the tests of the pool: they are imported by workers, never by a test."""
