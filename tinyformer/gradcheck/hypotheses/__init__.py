"""What may be wrong with a gradient, a family of suspicions a file, each from the evidence to findings (none: not it)."""
