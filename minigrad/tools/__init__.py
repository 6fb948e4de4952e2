"""Looking at models and graphs: layer table, graph, profile, memory. Nothing else needs them."""
