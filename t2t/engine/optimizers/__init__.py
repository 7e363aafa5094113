"""Optimisers, one file each: the settings that are under ``optimizer:`` in a run file, with what they make.

The files are read with every run file, so they import torch only where an optimiser is made.
"""
