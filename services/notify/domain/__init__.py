"""What notify decides, as pure functions of values."""
