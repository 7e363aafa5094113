"""Explaining: which tokens of its source text carried each item of an output, and whether that holds up."""
