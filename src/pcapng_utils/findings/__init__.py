"""What was sent about a person or a device: identifiers in every form they take, found, shown and taken out."""
