"""What another configuration would have said: worked out in a process of its own, fed with journeys as they stood."""
