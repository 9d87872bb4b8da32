"""What the user says, its sockets, what is wrong with it, and where everything lies."""
