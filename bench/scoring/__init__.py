"""How well health alone, untrained, ranks who will not come again, on public purchases beside simple counts."""
