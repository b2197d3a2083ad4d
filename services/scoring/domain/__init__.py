"""The rules of scoring: pure functions of a journey snapshot and an instant."""
