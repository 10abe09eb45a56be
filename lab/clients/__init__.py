"""Real clients: each runs on the lab's "phone" and writes down what it sent and received."""
