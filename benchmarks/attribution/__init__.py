"""How often attribution is right, and whether it knows when it is not: `python -m benchmarks.attribution`."""
