"""Where the journey keeps its facts and what it derives from them; all within the caller's transaction."""
