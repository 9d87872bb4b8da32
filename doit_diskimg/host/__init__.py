"""The outside world, and only here: files, the image, the clock, the machine."""
