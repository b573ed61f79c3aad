"""The connectors that ship with the product; they use the same contract as anybody's."""
