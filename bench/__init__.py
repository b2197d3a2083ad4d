"""What we measure, with floors and peers beside us in the same run: ratios, never absolute times."""
