"""The only place that opens sockets or starts processes; every call has a deadline."""
