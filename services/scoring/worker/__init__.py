"""The stream side of scoring."""
