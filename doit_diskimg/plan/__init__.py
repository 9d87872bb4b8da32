"""Where bytes come from and where they go, as data; knows no disk."""
