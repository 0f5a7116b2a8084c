"""The gate: from the measurements of a candidate to a verdict on whether it goes live. It fails closed."""
