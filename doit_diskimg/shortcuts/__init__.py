"""Delete this folder and every byte is the same, only later."""
