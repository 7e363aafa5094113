"""Families of models, one file each, behind the face of seq2seq.py; their names are model_type in config.json."""
