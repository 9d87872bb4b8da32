"""Machines that QEMU emulates: a module for each architecture, and the words that start one."""
