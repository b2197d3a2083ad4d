"""The parts of a state, one a family of touchpoints: each a commutative join of bounded size."""
