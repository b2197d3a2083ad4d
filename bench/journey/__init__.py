"""What a touchpoint costs in journey, beside bare loops and peers that do the same job."""
