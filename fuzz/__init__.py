"""Fuzzing: every layer by itself, and the whole. `make fuzz`; see docs/fuzzing.md."""
