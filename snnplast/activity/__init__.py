"""What a network does in one trial: gathered by `observe`, drawn by `figure`."""
