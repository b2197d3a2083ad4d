"""Reads and judges what is sent: pure, total, without a clock of its own."""
