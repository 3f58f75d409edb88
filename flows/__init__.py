"""All that a person or a clock can start; wiring only."""
