"""The gate: what a candidate must show before it goes live. It fails closed."""
