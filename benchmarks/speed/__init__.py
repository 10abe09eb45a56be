"""How long whole conversions take, and how much memory, beside other programs: `python -m benchmarks.speed`."""
