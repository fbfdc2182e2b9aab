"""Check kinds: something a user would do, with a deadline. One module a kind; see `base.py` for its shape."""
