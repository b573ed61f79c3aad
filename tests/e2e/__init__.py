"""Through the real program: real processes, real sockets, real databases."""
