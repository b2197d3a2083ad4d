"""The demonstration: the story, and a shop's real purchases, sent into the Jornada that runs."""
