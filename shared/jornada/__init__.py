"""What every Jornada service stands on."""
