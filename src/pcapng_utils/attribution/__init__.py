"""Which code sent this message: the socket calls logged on the phone joined with what the router captured."""
