"""Learning stage after stage: what keeps earlier tasks, one file a strategy, and how much each stage forgets."""
