"""Pure changes of messages, and the list of them."""
