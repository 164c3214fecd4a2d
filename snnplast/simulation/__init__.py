"""From descriptions to one trial: design, Brian2 objects, the trial."""
