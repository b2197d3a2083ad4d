"""From records to journeys: whose a touchpoint is, what it changes, and what time alone changes."""
