"""The five services; they meet only in events and over HTTP."""
