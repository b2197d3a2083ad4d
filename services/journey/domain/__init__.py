"""What a journey is, as a function of the set of accepted touchpoints: no I/O, no clock, no chance."""
