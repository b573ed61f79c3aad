"""The running program: takes requests in, carries them, answers. Open `pipeline.py` first."""
