"""Tells the people and systems that asked, and writes to customers."""
