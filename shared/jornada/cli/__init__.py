"""The command `jornada`: what operators do by hand."""
