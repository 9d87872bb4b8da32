"""File systems and other payloads: what fills a partition, one file or folder per kind."""
