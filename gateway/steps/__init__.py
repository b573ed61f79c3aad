"""The steps of the pipeline, one file each, in the order in which a request meets them."""
