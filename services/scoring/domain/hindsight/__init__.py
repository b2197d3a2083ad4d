"""What profiles would have said, held against what really happened.

A series is one subject's journey as it stood at a row of instants, the same for all, from the first by which anything
counted. What happens between two of them and is over by the second is not seen.
"""
