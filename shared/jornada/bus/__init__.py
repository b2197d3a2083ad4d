"""The stream: records in, batches out, one contract for every carrier."""
