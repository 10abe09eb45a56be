"""The layers put together: the only place that knows them all."""
