"""Interoperability: files that other programs write and read."""
