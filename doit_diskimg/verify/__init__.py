"""The second opinion: reads an image with other code than wrote it."""
