"""What a network is made of: descriptions, frozen and checked; no Brian2 object."""
