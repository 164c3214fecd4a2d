"""What a network is asked to do: trials of segments, and what is wanted of the readout."""
