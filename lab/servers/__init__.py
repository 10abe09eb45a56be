"""Real servers: each runs as a process on the lab's "internet" machine and writes down what it received and sent."""
