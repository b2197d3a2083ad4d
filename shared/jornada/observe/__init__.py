"""What operators see: structured logs without payloads, metrics, and the trace that ties a request to its effects."""
