"""Commands that need no dodo.py."""
