"""Answering records that have no gold: a model folder with its tasks, files in, files out."""
