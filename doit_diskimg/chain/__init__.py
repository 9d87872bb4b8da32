"""The chain: one function a step, in the order of the work; knows no doit."""
