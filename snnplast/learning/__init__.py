"""How it learns: rules, third factors, gradients, optimisers."""
