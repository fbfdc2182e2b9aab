"""Where components run. `base.py` is the protocol; `local/` is the one target so far."""
