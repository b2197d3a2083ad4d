"""The loops that carry out what was decided: deliveries, messages, and the news for live streams."""
